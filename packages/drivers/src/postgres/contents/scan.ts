import type { Session } from '../session.ts'

/** Rows, and the sum of their hashes: equal for equal rows in any order. */
export interface Scanned {
  readonly rows: number
  readonly digest: string
}

/** Prepares a transaction for {@link scan}, which does not take more than one processor of somebody's server. */
export async function beforeScans(session: Session): Promise<void> {
  await session.query(
    `SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SAVEPOINT scanning`,
  )
}

/**
 * Adds up what queries with the columns `rows` and `digest` yield. A scan locks every index of a table until the end
 * of the transaction: for thousands of tables the server has no room for that, so the locks of the scan before are
 * given back.
 */
export async function scan(session: Session, queries: readonly string[]): Promise<Scanned> {
  const [sums] = await session.query<{ rows: string; digest: string }>(
    `ROLLBACK TO SAVEPOINT scanning;
     SELECT coalesce(sum(part.rows), 0)::text AS rows, coalesce(sum(part.digest), 0)::text AS digest
     FROM (${queries.join(' UNION ALL ')}) AS part`,
  )
  return { rows: Number(sums?.rows ?? 0), digest: sums?.digest ?? '0' }
}
