import type { Relation } from '../contents/list-relations.ts'
import { tableKey } from '../contents/table-names.ts'
import type { Session } from '../session.ts'

const HOLDERS = `
  SELECT l.relation AS oid, l.pid FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation = ANY ($1::oid[])
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  ORDER BY l.granted DESC, l.relation LIMIT 1`

/** Who holds, or waits for, a lock that keeps others from reading one of the tables; null if nobody does any more. */
export async function findLockHolder(
  session: Session,
  wanted: readonly Relation[],
): Promise<{ readonly table: string; readonly pid: number } | null> {
  const [row] = await session.query<{ oid: number; pid: number }>(HOLDERS, [wanted.map(({ oid }) => oid)])
  const table = wanted.find(({ oid }) => oid === row?.oid)
  if (row === undefined || table === undefined) return null
  return { table: tableKey(table.schema, table.name), pid: row.pid }
}
