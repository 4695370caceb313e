import type { BackupStatus, CatalogStats, OperationState } from '@holdfast/core'
import type { Session } from './session.ts'

/** Totals over the whole catalog. */
export function readStats(session: Session): Promise<CatalogStats> {
  return session.run(async (db) => {
    const { count: targets } = await db
      .selectFrom('targets')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow()
    const byStatus = await db
      .selectFrom('backups')
      .select((eb) => ['status', eb.fn.countAll<number>().as('count')])
      .groupBy('status')
      .execute()
    const byState = await db
      .selectFrom('operations')
      .select((eb) => ['state', eb.fn.countAll<number>().as('count')])
      .groupBy('state')
      .execute()
    const bytes = await db
      .selectFrom('backups')
      .select((eb) => [
        eb.fn.coalesce(eb.fn.sum<number>('stored_bytes'), eb.lit(0)).as('stored'),
        eb.fn.coalesce(eb.fn.sum<number>('size_bytes'), eb.lit(0)).as('size'),
      ])
      // an expired one lies in storage until it is deleted
      .where('status', 'in', ['completed', 'damaged', 'expired'])
      .executeTakeFirstOrThrow()
    const newest = await db
      .selectFrom('backups')
      .innerJoin('targets', 'targets.name', 'backups.target')
      .select((eb) => [
        'backups.target as target',
        'backups.database as database',
        eb.fn.max('backups.consistent_at').as('consistentAt'),
      ])
      .where('backups.status', '=', 'completed')
      .where('targets.removed_at', 'is', null)
      .groupBy(['backups.target', 'backups.database'])
      .orderBy('backups.target')
      .orderBy('backups.database')
      .execute()
    return {
      targets,
      backups: { ...NO_BACKUPS, ...toCounts(byStatus.map((row) => [row.status, row.count])) },
      operations: { ...NO_OPERATIONS, ...toCounts(byState.map((row) => [row.state, row.count])) },
      storedBytes: bytes.stored,
      sizeBytes: bytes.size,
      newest: newest.flatMap(({ target, database, consistentAt }) =>
        consistentAt === null ? [] : [{ target, database, consistentAt }],
      ),
    }
  })
}

const NO_BACKUPS: Record<BackupStatus, number> = {
  pending: 0,
  in_progress: 0,
  completed: 0,
  failed: 0,
  expired: 0,
  deleted: 0,
  damaged: 0,
}

const NO_OPERATIONS: Record<OperationState, number> = {
  queued: 0,
  waiting: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
}

function toCounts(pairs: readonly (readonly [string, number])[]): Record<string, number> {
  return Object.fromEntries(pairs)
}
