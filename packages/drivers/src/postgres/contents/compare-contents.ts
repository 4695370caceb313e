import type { Contents, SequenceRange } from './contents-file.ts'
import type { Digests } from './count-tables.ts'

/** What a restored database has other than its source had, in words. */
export interface Comparison {
  /** What must not be. */
  readonly differences: readonly string[]
  /** What may be, and what could not be compared. */
  readonly warnings: readonly string[]
}

type State = SequenceRange['before']

/** Compares what was counted in a source with what is counted in a restored copy. */
export function compareTables(expected: Digests, found: Digests): Comparison {
  const differences: string[] = []
  const warnings: string[] = []
  const isComparable = expected.method === found.method && expected.probe === found.probe
  if (!isComparable) {
    warnings.push('this server digests contents in another way than the source did: only rows were compared')
  }
  for (const key of new Set([...Object.keys(expected.tables), ...Object.keys(found.tables)])) {
    const [want, have] = [expected.tables[key], found.tables[key]]
    const problem = problemOf(want, have, isComparable)
    if (problem === null) continue
    if (want?.derived || have?.derived) {
      warnings.push(`materialised view ${key} ${problem}: in the source it was not up to date`)
    } else {
      differences.push(`${key} ${problem}`)
    }
  }
  return { differences, warnings }
}

/** A sequence may be anywhere between where it was before the dump and where it was after it. */
export function compareSequences(
  expected: Contents['sequences'],
  found: ReadonlyMap<string, State>,
): readonly string[] {
  return Object.entries(expected).flatMap(([key, range]) => {
    const state = found.get(key)
    if (state === undefined) return [`sequence ${key} is missing`]
    if (isBetween(range, state)) return []
    const { before, after } = range
    const expectedValue =
      before.lastValue === after.lastValue ? before.lastValue : `${before.lastValue} to ${after.lastValue}`
    return [`sequence ${key} is at ${state.lastValue}, the source was at ${expectedValue}`]
  })
}

type Count = Digests['tables'][string]

function problemOf(want: Count | undefined, have: Count | undefined, withDigest: boolean): string | null {
  if (want === undefined) return 'was not in the source'
  if (have === undefined) return 'is missing'
  if (want.rows !== have.rows) return `has ${have.rows} rows, the source had ${want.rows}`
  return withDigest && want.digest !== have.digest ? 'has other contents than the source had' : null
}

function isBetween({ before, after }: SequenceRange, state: State): boolean {
  const [value, one, other] = [state, before, after].map(({ lastValue }) => BigInt(lastValue))
  if (value === undefined || one === undefined || other === undefined) return false
  if (one === other && before.isCalled === after.isCalled) {
    return value === one && state.isCalled === before.isCalled
  }
  const [low, high] = one < other ? [one, other] : [other, one]
  return value >= low && value <= high
}
