import type { Meaning } from '../client-server/tool-failure.ts'

/** Errors over rows and statements. */
interface RowNumbers {
  readonly numbers: readonly number[]
  /** Has to be in what the server said. */
  readonly pattern?: RegExp
  readonly message: string
}

const DUPLICATE = 'two rows have the same value in a unique key'

const ALL: readonly RowNumbers[] = [
  { numbers: [1062, 1169, 1586], message: DUPLICATE },
  // rows that come into an empty table all at once are compared by the storage engine in the end, which says no more
  { numbers: [1180], pattern: /error (?:1|121)\b/, message: `rows are refused, perhaps since ${DUPLICATE}` },
  { numbers: [1264, 1265, 1292, 1366, 1406], message: 'a value does not fit into its column' },
  { numbers: [1048, 1364], message: 'a column must have a value and has none' },
  { numbers: [1064, 1149], message: 'the server does not understand a statement' },
]

/** Like `meaningOf`, for errors whose messages quote rows or statements: nothing of what was said may be repeated. */
export function meaningOfRows(number: number, said: string): Meaning | null {
  const found = ALL.find(({ numbers, pattern }) => numbers.includes(number) && (pattern?.test(said) ?? true))
  return found === undefined ? null : { code: 'TOOL_FAILED', message: `${found.message} (error ${number})` }
}
