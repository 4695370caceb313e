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

/** Puts another account, as a statement needs it, in the place of the definer. */
export function withDefiner(text: string, account: string): string {
  return text.replace(DEFINER, (_clause, before: string) => `${before}DEFINER=${asBytes(account)}`)
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
  /** Without the schema that its definition may name: the server keeps what its author wrote. */
  readonly text: string
}

/**
 * Makes a trigger one of whatever schema it is created in. Null if its head cannot be read, or names another schema
 * than the source's, where it could be created for a table that is in use.
 */
export function freeTrigger(text: string, source: string, dialect: Dialect): TriggerText | null {
  const tokens = significant(text, dialect)
  let at = tokens.findIndex((token) => isWord(token, 'TRIGGER')) + 1
  if (at === 0) return null
  if (isWord(tokens[at], 'IF')) at += 3
  const name = qualifiedAt(tokens, at)
  const on = tokens.findIndex((token, place) => place > name.next && isWord(token, 'ON'))
  const table = qualifiedAt(tokens, on + 1)
  if (on < 0 || name.token === undefined || table.token === undefined) return null
  const qualifiers = [...name.qualifier, ...table.qualifier]
  const isOwn = (token: Token) => token.source === '.' || nameOf(token) === source
  if (!qualifiers.every(isOwn)) return null
  const freed = qualifiers
    .toReversed()
    .reduce((sql, { start, end }) => sql.slice(0, start) + sql.slice(end), text)
  return { name: nameOf(name.token), text: freed }
}

function qualifiedAt(tokens: readonly Token[], at: number) {
  const isQualified = tokens[at + 1]?.source === '.'
  const place = isQualified ? at + 2 : at
  return { token: tokens[place], next: place, qualifier: isQualified ? tokens.slice(at, at + 2) : [] }
}

/** Lets a table or a view name its own schema by the name that it will have there. */
export function moveQualifiers(text: string, source: string, schema: string): string {
  return requalify(text, source, schema)
}
