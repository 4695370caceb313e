import type { Program } from '../schema/schema-objects.ts'

/** Character sets with characters whose last byte is that of a backslash. */
const AMBIGUOUS = /^(?:sjis|cp932|big5|gbk|gb18030)$/i
/** Such a character, in a text of bytes. */
const ENDS_IN_BACKSLASH = /[\x81-\xfe]\\/

/**
 * Programs that a dump has and no client can load: it reads a dump as UTF-8, in which the last byte of such a character
 * is a backslash of its own.
 */
export function unreadablePrograms(programs: readonly Program[]): readonly Program[] {
  return programs.filter(
    ({ kind, charset, encoding, createSql }) =>
      kind !== 'event' &&
      AMBIGUOUS.test(charset) &&
      encoding === 'binary' &&
      ENDS_IN_BACKSLASH.test(createSql),
  )
}
