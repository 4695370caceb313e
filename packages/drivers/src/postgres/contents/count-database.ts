import type { Session } from '../session.ts'
import type { Contents, DigestMethod } from './contents-file.ts'
import type { Digests } from './count-tables.ts'
import { countTables, shareOut } from './count-tables.ts'
import { listRelations } from './list-relations.ts'
import { listTables } from './list-tables.ts'
import { readSequences } from './sequences.ts'

/** Everything in a database that can be compared with what its source had. */
export interface DatabaseContents {
  readonly digests: Digests
  readonly sequences: ReadonlyMap<string, Contents['sequences'][string]['before']>
}

/**
 * Counts and digests all that is in a database which nobody else writes to, on sessions that are in no transaction.
 * The method is that of the source: other digests cannot be compared.
 */
export async function countDatabase(
  sessions: readonly [Session, ...Session[]],
  method: DigestMethod,
  signal: AbortSignal,
  onCounted: (tables: number, of: number) => void = () => {},
): Promise<DatabaseContents> {
  const [first] = sessions
  for (const session of sessions) await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const relations = await listRelations(first)
  const tables = await listTables(first, relations)
  let counted = 0
  const digests = await countTables(shareOut(tables, sessions), method, signal, () => {
    counted += 1
    onCounted(counted, tables.length)
  })
  const sequences = await readSequences(first, relations)
  for (const session of sessions) await session.query('COMMIT')
  return { digests, sequences }
}

/** Rows by table, as far as they must be equal after a restore. */
export function rowCountsOf({ tables }: Digests): Readonly<Record<string, number>> {
  const counts = Object.entries(tables).filter(([, { derived }]) => derived !== true)
  return Object.fromEntries(counts.map(([key, { rows }]) => [key, rows]))
}
