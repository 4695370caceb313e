import { AppError, matchesName } from '@holdfast/core'

/** A pattern of a filter: of a schema, or of tables in schemas. */
export interface FilterPattern {
  readonly text: string
  readonly matchesSchema: (schema: string) => boolean
  /** Null for the pattern of a schema. */
  readonly matchesTable: ((table: string) => boolean) | null
}

/** One part of a name: in quotes, where it is meant to the letter, or without, where `*` and `?` stand for others. */
const PART = /^(?:"((?:[^"]|"")+)"|([^".]+))(?:\.|$)/

/** Reads `schema`, `schema.table` or `"a schema with a dot in it".table`. Throws INVALID_REQUEST for anything else. */
export function readPattern(text: string): FilterPattern {
  const parts: ((name: string) => boolean)[] = []
  let rest = text
  while (rest !== '' && parts.length < 3) {
    const [whole, literal, pattern] = PART.exec(rest) ?? []
    if (whole === undefined) throw notPattern(text)
    parts.push(matcherOf(literal, pattern))
    rest = rest.slice(whole.length)
  }
  const [schema, table = null, more] = parts
  if (schema === undefined || more !== undefined || text.endsWith('.')) throw notPattern(text)
  return { text, matchesSchema: schema, matchesTable: table }
}

function matcherOf(literal: string | undefined, pattern: string | undefined): (name: string) => boolean {
  if (literal === undefined) return (name) => matchesName(pattern ?? '', name)
  const meant = literal.replaceAll('""', '"')
  return (name) => name === meant
}

function notPattern(text: string): AppError {
  return new AppError('INVALID_REQUEST', `${text.slice(0, 100)} is not a pattern of a filter`, {
    hint: 'write schema or schema.table, with * and ? for any letters, and parts with a dot in double quotes',
  })
}
