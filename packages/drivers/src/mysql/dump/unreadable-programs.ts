import { AppError } from '@holdfast/core'
import type { Program } from '../schema/schema-objects.ts'
import { someOf } from './describe-names.ts'

/** Characters of two bytes, or the halves of one of four, by character sets in which the last byte may be a backslash. */
const PAIRS: Readonly<Record<string, RegExp>> = {
  sjis: /[\x81-\x9f\xe0-\xfc][\s\S]/g,
  cp932: /[\x81-\x9f\xe0-\xfc][\s\S]/g,
  big5: /[\x81-\xfe][\s\S]/g,
  gbk: /[\x81-\xfe][\s\S]/g,
  gb18030: /[\x81-\xfe][\s\S]/g,
}

/**
 * Programs that a dump has and no client can load: it reads a dump as UTF-8, in which the last byte of such a character
 * is a backslash of its own.
 */
export function unreadablePrograms(programs: readonly Program[]): readonly Program[] {
  return programs.filter(({ kind, charset, encoding, createSql }) => {
    const pairs = PAIRS[charset.toLowerCase()]
    if (kind === 'event' || encoding !== 'binary' || pairs === undefined) return false
    return createSql.matchAll(pairs).some(([pair]) => pair.endsWith('\\'))
  })
}

/** Rejects with DATABASE_INVALID, naming them, if there are any: a backup with them could not be restored. */
export function requireReadable(programs: readonly Program[]): void {
  const found = unreadablePrograms(programs)
  if (found.length === 0) return
  const names = found.map(({ kind, name, charset }) => `${kind} ${name} (${charset})`)
  throw new AppError(
    'DATABASE_INVALID',
    `no client can load a dump of programs with characters whose last byte is a backslash: ${someOf(names)}`,
    { hint: 'create them again by a session in utf8mb4, and back up again' },
  )
}
