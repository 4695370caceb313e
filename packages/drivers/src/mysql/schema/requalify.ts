import { quoteName } from '../quote.ts'
import type { Dialect, Token } from './sql-tokens.ts'
import { isWord, nameOf, PLAIN_DIALECT, tokensOf } from './sql-tokens.ts'

/**
 * Puts another schema in the place of `from` wherever SQL that a server printed names it as a qualifier: before
 * functions and sequences, before tables, and before columns with all three parts. Texts and comments stay as they are,
 * and so does `` `from`.`x` `` in the place of a column: there it is a table or an alias that has the schema's name.
 */
export function requalify(sql: string, from: string, to: string, dialect: Dialect = PLAIN_DIALECT): string {
  if (from === to) return sql
  return qualifiersIn(sql, from, dialect)
    .toReversed()
    .reduce((text, { start, end }) => text.slice(0, start) + quoteName(to) + text.slice(end), sql)
}

/** Whether SQL that anybody wrote names a schema as a qualifier, with or without quotes. */
export function mentionsSchema(sql: string, schema: string, dialect: Dialect = PLAIN_DIALECT): boolean {
  return qualifiersIn(sql, schema, dialect, WRITTEN).length > 0
}

interface Style {
  readonly kinds: readonly Token['kind'][]
  readonly beforeTables: readonly string[]
}

const PRINTED: Style = { kinds: ['name'], beforeTables: ['FROM', 'JOIN', 'STRAIGHT_JOIN', 'REFERENCES'] }

const WRITTEN: Style = {
  kinds: ['name', 'word'],
  beforeTables: [
    ...PRINTED.beforeTables,
    'INTO',
    'UPDATE',
    'TABLE',
    'CALL',
    'FOR',
    'IGNORE',
    'REPLACE',
    'INSERT',
  ],
}

function qualifiersIn(
  sql: string,
  schema: string,
  dialect: Dialect,
  style: Style = PRINTED,
): readonly Token[] {
  // by far the most SQL does not name its schema
  if (/^[\0-\x7f]*$/.test(schema) && !sql.includes(quotedInside(schema))) return []
  const tokens = [...tokensOf(sql, dialect)].filter(({ kind }) => kind !== 'blank' && kind !== 'comment')
  const openers: number[] = []
  return tokens.filter((token, at) => {
    if (token.source === '(') openers.push(at)
    if (token.source === ')') openers.pop()
    if (!style.kinds.includes(token.kind) || nameOf(token, dialect) !== schema) return false
    if (tokens[at + 1]?.source !== '.' || tokens[at - 1]?.source === '.') return false
    const after = tokens[at + 3]?.source
    return after === '.' || after === '(' || isTablePlace(tokens, at, openers, style)
  })
}

/** What any way to quote a name leaves of it, or a part of that. */
function quotedInside(name: string): string {
  return name.split(/[`"]/, 1)[0] ?? ''
}

const OF_SEQUENCES = ['NEXTVAL', 'LASTVAL', 'SETVAL'] as const
/** Functions whose arguments a FROM divides: `extract(year from …)`. */
const WITH_FROM = ['EXTRACT', 'TRIM', 'SUBSTRING', 'SUBSTR', 'MID'] as const

function isTablePlace(
  tokens: readonly Token[],
  at: number,
  openers: readonly number[],
  { beforeTables }: Style,
): boolean {
  let before = at - 1
  let depth = openers.length
  while (tokens[before]?.source === '(') {
    before -= 1
    depth -= 1
  }
  if (depth < openers.length && isWord(tokens[before], ...OF_SEQUENCES)) return true
  if (!isWord(tokens[before], ...beforeTables)) return false
  const opener = openers[depth - 1]
  return opener === undefined || !isWord(tokens[opener - 1], ...WITH_FROM)
}
