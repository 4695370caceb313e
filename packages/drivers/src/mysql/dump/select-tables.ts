import type { DumpFilter } from '@holdfast/core'
import { AppError, matchesName } from '@holdfast/core'

/** What a filter makes of the tables, sequences and views of a schema. */
export interface Selection {
  /** Names that are not in the dump. */
  readonly leftOut: ReadonlySet<string>
  /** Patterns that exclude nothing. */
  readonly idle: readonly string[]
}

/** Everything. */
export const EVERYTHING: Selection = { leftOut: new Set(), idle: [] }

/** What systems allow for all arguments together is 1 MB or more. */
const MOST_ARGUMENT_BYTES = 500_000

/**
 * What patterns like `orders_*` or `shop.orders_*` select. Throws INVALID_REQUEST if a pattern includes nothing, or
 * nothing is left: that is not what was asked for.
 */
export function selectTables(filter: DumpFilter, schema: string, names: readonly string[]): Selection {
  const include = filter.include.map((text) => readPattern(text, schema))
  const exclude = filter.exclude.map((text) => readPattern(text, schema))
  const isIdle = ({ matches }: Pattern) => !names.some(matches)
  requireMatches(include.filter(isIdle))
  const isKept = (name: string) =>
    (include.length === 0 || include.some(({ matches }) => matches(name))) &&
    !exclude.some(({ matches }) => matches(name))
  const leftOut = names.filter((name) => !isKept(name))
  if (names.length > 0 && leftOut.length === names.length) {
    throw refused('the filter leaves no table of the database', "change 'include' and 'exclude'")
  }
  const bytes = leftOut.reduce(
    (sum, name) => sum + Buffer.byteLength(`--ignore-table=${schema}.${name}`) + 1,
    0,
  )
  if (bytes > MOST_ARGUMENT_BYTES) {
    throw refused(`the filter leaves out ${leftOut.length} tables, too many to name`, 'leave out fewer')
  }
  return { leftOut: new Set(leftOut), idle: exclude.filter(isIdle).map(({ text }) => text) }
}

interface Pattern {
  readonly text: string
  readonly matches: (name: string) => boolean
}

/** One part of a name: in quotes, where it is meant to the letter, or without, where `*` and `?` stand for others. */
const PART = /^(?:`((?:[^`]|``)+)`|"((?:[^"]|"")+)"|([^".`]+))(?:\.|$)/

function readPattern(text: string, schema: string): Pattern {
  const parts: ((name: string) => boolean)[] = []
  let rest = text
  while (rest !== '' && parts.length < 3) {
    const [whole, ticked, quoted, pattern] = PART.exec(rest) ?? []
    if (whole === undefined) throw notPattern(text)
    parts.push(matcherOf(ticked?.replaceAll('``', '`') ?? quoted?.replaceAll('""', '"'), pattern))
    rest = rest.slice(whole.length)
  }
  const [first, second, more] = parts
  if (first === undefined || more !== undefined || text.endsWith('.')) throw notPattern(text)
  if (second === undefined) return { text, matches: first }
  return { text, matches: (name) => first(schema) && second(name) }
}

function matcherOf(literal: string | undefined, pattern: string | undefined): (name: string) => boolean {
  if (literal === undefined) return (name) => matchesName(pattern ?? '', name)
  return (name) => name === literal
}

function requireMatches(idle: readonly Pattern[]): void {
  if (idle.length === 0) return
  const shown = idle.map(({ text }) => text.slice(0, 100)).slice(0, 5)
  throw refused(
    `the filter includes ${shown.join(', ')}, which the database does not have`,
    'names are compared to the letter: write them as the database has them',
  )
}

function notPattern(text: string): AppError {
  return refused(
    `${text.slice(0, 100)} is not a pattern of a filter`,
    'write table or schema.table, with * and ? for any letters, and parts with a dot in backticks or double quotes',
  )
}

function refused(message: string, hint: string): AppError {
  return new AppError('INVALID_REQUEST', message, { hint })
}
