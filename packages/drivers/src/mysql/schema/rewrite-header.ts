import { quoteName } from '../quote.ts'
import { nameFor } from './program-text.ts'
import type { Program } from './schema-objects.ts'
import type { Dialect, Token } from './sql-tokens.ts'
import { dialectOf, isWord, nameOf, tokensOf } from './sql-tokens.ts'

/** What differs about a program in its new place. */
export interface HeaderChanges {
  readonly schema: string
  /** `keep`, `current`, or an account in quotes. */
  readonly definer: string
  /** Of triggers; null: their own. */
  readonly onTable: string | null
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A program's text with another definer, another table, and no qualifier that names another schema than its own. */
export function rewriteHeader(program: Program, changes: HeaderChanges): string {
  const { createSql, kind } = program
  const dialect = dialectOf(program)
  const header = headerOf(createSql, dialect)
  const edits = [
    ...definerEdits(header, changes.definer),
    ...(kind === 'trigger' ? triggerEdits(header, changes, dialect, createSql) : []),
    ...(kind === 'view' ? viewEdits(header, changes, dialect) : []),
  ]
  return edits
    .toSorted((one, other) => other.start - one.start)
    .reduce(
      (text, { start, end, text: put }) => text.slice(0, start) + nameFor(program, put) + text.slice(end),
      createSql,
    )
}

/** More tokens than any header has before its body, so that long bodies need not be read. */
const HEADER_TOKENS = 60

function headerOf(sql: string, dialect: Dialect): readonly Token[] {
  const header: Token[] = []
  for (const token of tokensOf(sql, dialect)) {
    if (token.kind !== 'blank' && token.kind !== 'comment') header.push(token)
    if (header.length === HEADER_TOKENS) break
  }
  return header
}

const OBJECTS = ['TRIGGER', 'VIEW', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'EVENT', 'AGGREGATE', 'SQL'] as const

function definerEdits(header: readonly Token[], definer: string): readonly Edit[] {
  if (definer === 'keep') return []
  const object = header.findIndex((token) => isWord(token, ...OBJECTS))
  const at = header.findIndex((token) => isWord(token, 'DEFINER'))
  const [word, after] = [header[at], header[object]]
  if (after === undefined) return []
  const clause = definer === 'current' ? '' : `DEFINER=${definer} `
  // programs of very old servers have none
  if (word === undefined || at > object) return [{ start: after.start, end: after.start, text: clause }]
  return [{ start: word.start, end: after.start, text: clause }]
}

function triggerEdits(
  header: readonly Token[],
  { schema, onTable }: HeaderChanges,
  dialect: Dialect,
  sql: string,
): readonly Edit[] {
  const trigger = header.findIndex((token) => isWord(token, 'TRIGGER'))
  const on = header.findIndex(
    (token, at) => at > trigger + 1 && isWord(token, 'ON') && isName(header[at + 1]),
  )
  const isConditional = isWord(header[trigger + 1], 'IF')
  const name = trigger + (isConditional ? 4 : 1)
  const first = header[on + 1]
  const table = header[on + 1 + (header[on + 2]?.source === '.' ? 2 : 0)]
  const edits = qualifierEdits(header, name, schema, dialect)
  if (onTable === null || first === undefined || table === undefined || nameOf(table, dialect) === onTable) {
    return [...edits, ...qualifierEdits(header, on + 1, schema, dialect)]
  }
  // a name in quotes may stand right before a word
  const blank = /\s/.test(sql.charAt(table.end)) ? '' : ' '
  // with its qualifier, as the server replaces it when it renames a table
  return [...edits, { start: first.start, end: table.end, text: `${quoteName(onTable)}${blank}` }]
}

function viewEdits(header: readonly Token[], { schema }: HeaderChanges, dialect: Dialect): readonly Edit[] {
  const view = header.findIndex((token) => isWord(token, 'VIEW'))
  return qualifierEdits(header, view + 1, schema, dialect)
}

/** Triggers and views lie in the schema that they are created in: another qualifier can only be that schema's old name. */
function qualifierEdits(
  header: readonly Token[],
  at: number,
  schema: string,
  dialect: Dialect,
): readonly Edit[] {
  const qualifier = header[at]
  if (qualifier === undefined || header[at + 1]?.source !== '.' || nameOf(qualifier, dialect) === schema)
    return []
  return [{ start: qualifier.start, end: qualifier.end, text: quoteName(schema) }]
}

function isName(token: Token | undefined): boolean {
  return token?.kind === 'name' || token?.kind === 'word'
}
