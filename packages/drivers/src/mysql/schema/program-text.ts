import { AppError } from '@holdfast/core'
import type { Program } from './schema-objects.ts'

type Written = Pick<Program, 'createSql' | 'charset' | 'encoding'>

/** Character sets of clients, by the names that this runtime knows them by. */
const DECODERS: Readonly<Record<string, string>> = {
  utf8: 'utf-8',
  utf8mb3: 'utf-8',
  utf8mb4: 'utf-8',
  latin1: 'windows-1252',
  latin2: 'iso-8859-2',
  latin5: 'windows-1254',
  latin7: 'iso-8859-13',
  cp1250: 'windows-1250',
  cp1251: 'windows-1251',
  cp1256: 'windows-1256',
  cp1257: 'windows-1257',
  cp866: 'ibm866',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  greek: 'iso-8859-7',
  hebrew: 'iso-8859-8',
  macroman: 'macintosh',
  tis620: 'windows-874',
  sjis: 'shift_jis',
  cp932: 'shift_jis',
  ujis: 'euc-jp',
  eucjpms: 'euc-jp',
  gb2312: 'gbk',
  gbk: 'gbk',
  gb18030: 'gb18030',
  big5: 'big5',
  euckr: 'euc-kr',
}

const ASCII = /^[\0-\x7f]*$/

/** A name out of a program's text, as the server's lists have it. */
export function nameIn({ charset, encoding }: Written, name: string): string {
  if (ASCII.test(name)) return name
  const bytes = Buffer.from(name, encoding === 'utf8' ? 'utf8' : 'latin1')
  return new TextDecoder(DECODERS[charset] ?? 'windows-1252').decode(bytes)
}

/**
 * A program's text, in which each character of a name that is put into it may have to be one byte: a text in another
 * character set than UTF-8 may look like UTF-8 by chance.
 */
export function textToEdit({
  createSql,
  charset,
  encoding,
}: Written): Pick<Program, 'createSql' | 'encoding'> {
  if (encoding === 'binary' || isUtf8(charset) || ASCII.test(createSql)) return { createSql, encoding }
  return { createSql: Buffer.from(createSql, 'utf8').toString('latin1'), encoding: 'binary' }
}

/**
 * A name as it must be put into a text of {@link textToEdit}. Rejects by throwing RESTORE_NOT_POSSIBLE where the
 * character set of a program's text does not have the name.
 */
export function nameFor({ charset, encoding }: Written, name: string): string {
  if (ASCII.test(name) || (encoding === 'utf8' && isUtf8(charset))) return name
  if (isUtf8(charset)) return Buffer.from(name, 'utf8').toString('latin1')
  const decoder = new TextDecoder(DECODERS[charset] ?? 'windows-1252')
  const bytes = new Map(
    Array.from({ length: 256 }, (_, byte) => [
      decoder.decode(Uint8Array.of(byte)),
      String.fromCharCode(byte),
    ]),
  )
  return Array.from(name, (character) => {
    const byte = bytes.get(character)
    if (byte !== undefined) return byte
    throw new AppError(
      'RESTORE_NOT_POSSIBLE',
      `a program was written in ${charset}, which has no name for ${name}`,
      {
        hint: 'restore under a name in plain letters',
      },
    )
  }).join('')
}

function isUtf8(charset: string): boolean {
  return charset.startsWith('utf8')
}
