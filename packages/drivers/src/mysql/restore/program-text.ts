import { quoteName } from '../quote.ts'
import { requalify } from '../schema/requalify.ts'
import type { Dialect, Token } from '../schema/sql-tokens.ts'
import { isWord, nameOf, tokensOf } from '../schema/sql-tokens.ts'

/** Texts are those of a dump: one character for each byte. */
export function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** What {@link asBytes} was made of. */
export function asText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

const QUOTED = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")'
/** The clause stands before everything else that is in quotes. */
const DEFINER = new RegExp(`^([^'"\`]*?)DEFINER\\s*=\\s*${QUOTED}(?:@${QUOTED})?`, 'i')

/** Makes whoever creates it the definer. */
export function withoutDefiner(text: string): string {
  return text.replace(DEFINER, '$1DEFINER=CURRENT_USER')
}

/** What a program says, however its dump wraps it: without its definer, blanks and comments. */
export function essenceOf(text: string, dialect: Dialect): string {
  const tokens = significant(text.replace(DEFINER, '$1'), dialect)
  const begin = tokens.findIndex((token) => isWord(token, 'CREATE'))
  return (
    tokens
      .slice(begin + 1)
      // names are quoted in one way here and in another there
      .map((token) => (token.kind === 'name' ? `name ${nameOf(token)}` : token.source))
      .join(' ')
  )
}

/** The words of a statement, without the borders of comments that the server executes. */
function significant(text: string, dialect: Dialect): readonly Token[] {
  return [...tokensOf(text, dialect)].filter(
    ({ kind, source }) => kind !== 'blank' && kind !== 'comment' && !/^(?:\/\*M?!\d*|\*\/)$/.test(source),
  )
}

/** A trigger as its dump has it. */
export interface TriggerText {
  readonly name: string
  /** With the new schema wherever it named its own: the server keeps what its author wrote. */
  readonly text: string
}

/**
 * Makes a trigger one of another schema. Null if its head cannot be read, or names another schema
 * than the source's, where it could be created for a table that is in use.
 */
export function moveTrigger(
  text: string,
  source: string,
  schema: string,
  dialect: Dialect,
): TriggerText | null {
  const tokens = significant(text, dialect)
  let at = tokens.findIndex((token) => isWord(token, 'TRIGGER')) + 1
  if (at === 0) return null
  if (isWord(tokens[at], 'IF')) at += 3
  const name = qualifiedAt(tokens, at)
  const on = tokens.findIndex((token, place) => place > name.next && isWord(token, 'ON'))
  const table = qualifiedAt(tokens, on + 1)
  if (on < 0 || name.token === undefined || table.token === undefined) return null
  const qualifiers = [...name.qualifier, ...table.qualifier]
  if (!qualifiers.every((token) => nameOf(token) === source)) return null
  const moved = qualifiers
    .toReversed()
    .reduce((sql, { start, end }) => `${sql.slice(0, start)}${quoteName(schema)}${sql.slice(end)}`, text)
  return { name: nameOf(name.token), text: moved }
}

function qualifiedAt(tokens: readonly Token[], at: number) {
  const isQualified = tokens[at + 1]?.source === '.'
  const place = isQualified ? at + 2 : at
  return { token: tokens[place], next: place, qualifier: isQualified ? tokens.slice(at, at + 1) : [] }
}

/** Lets a table or a view name its own schema by the name that it will have there. */
export function moveQualifiers(text: string, source: string, schema: string): string {
  return requalify(text, source, schema)
}
