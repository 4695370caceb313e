import type { Session } from '../session.ts'
import type { SequenceRange } from './contents-file.ts'
import type { Relation } from './list-relations.ts'
import { isReadable } from './list-relations.ts'
import { quotedTable, tableKey } from './table-names.ts'

type SequenceState = SequenceRange['before']

/** So many are read by one statement. */
const AT_ONCE = 200

/** Where sequences are now. They know no snapshot and no transaction: each moment has its own answer. */
export async function readSequences(
  session: Session,
  relations: readonly Relation[],
): Promise<ReadonlyMap<string, SequenceState>> {
  const sequences = relations.filter((relation) => relation.kind === 'S' && isReadable(relation))
  const states = new Map<string, SequenceState>()
  for (let at = 0; at < sequences.length; at += AT_ONCE) {
    const some = sequences.slice(at, at + AT_ONCE)
    const queries = some.map(
      (sequence, index) =>
        `SELECT ${index} AS at, last_value::text AS value, is_called AS called FROM ${quotedTable(sequence)}`,
    )
    const rows = await session.query<{ at: number; value: string; called: boolean }>(
      queries.join(' UNION ALL '),
    )
    for (const row of rows) {
      const sequence = some[row.at]
      if (sequence === undefined) continue
      states.set(tableKey(sequence.schema, sequence.name), { lastValue: row.value, isCalled: row.called })
    }
  }
  return states
}

/** Two readings as what a dump between them may hold; sequences that were there both times. */
export function sequenceRanges(
  before: ReadonlyMap<string, SequenceState>,
  after: ReadonlyMap<string, SequenceState>,
): Readonly<Record<string, SequenceRange>> {
  const ranges: Record<string, SequenceRange> = {}
  for (const [key, state] of before) {
    const later = after.get(key)
    if (later !== undefined) ranges[key] = { before: state, after: later }
  }
  return ranges
}
