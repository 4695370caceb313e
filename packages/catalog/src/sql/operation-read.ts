import type { Operation, OperationFilter, Page, PageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Database } from './engine.ts'
import { readPage } from './page.ts'
import { isInLine, isUnfinished } from './predicates.ts'
import { toOperation } from './rows.ts'
import type { Session } from './session.ts'

/** The error of every call that names an operation which the catalog does not know. */
export function operationNotFound(id: string): AppError {
  return new AppError('OPERATION_NOT_FOUND', `no operation has the id ${id}`)
}

export async function getOperation(session: Session, id: string): Promise<Operation> {
  const row = await session.run((db) =>
    db.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst(),
  )
  if (row === undefined) throw operationNotFound(id)
  return toOperation(row)
}

export function listOperations(
  session: Session,
  filter: OperationFilter,
  page: PageRequest,
): Promise<Page<Operation>> {
  const { state, type, target, backupId } = filter
  const matching = (db: Database) =>
    db.selectFrom('operations').where((eb) =>
      eb.and({
        ...(state !== undefined && { state }),
        ...(type !== undefined && { type }),
        ...(target !== undefined && { target }),
        ...(backupId !== undefined && { backup_id: backupId }),
      }),
    )
  return readPage(session, page, {
    name: 'operations',
    rows: (db, before, limit) =>
      matching(db).selectAll().where('seq', '<', before).orderBy('seq', 'desc').limit(limit).execute(),
    count: (db) =>
      matching(db)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow(),
    toItem: toOperation,
  })
}

/** All that is not finished, oldest first; `leaseLive` says whether a worker holds the lock for it right now. */
export async function listUnfinishedOperations(
  session: Session,
): Promise<readonly { readonly operation: Operation; readonly leaseLive: boolean }[]> {
  return session.run(async (db) => {
    const rows = await db.selectFrom('operations').selectAll().where(isUnfinished).orderBy('seq').execute()
    const live = await db
      .selectFrom('target_locks')
      .select('operation_id')
      .where('operation_id', 'is not', null)
      .where('lease_until', '>', session.engine.leaseNow())
      .execute()
    const holders = new Set(live.map((lock) => lock.operation_id))
    return rows.map((row) => ({ operation: toOperation(row), leaseLive: holders.has(row.id) }))
  })
}

/**
 * Moves an operation that is not running to the stronger lock key, and its target with it: unless the target has been
 * given another connection since, which has an identity of its own.
 */
export function setOperationLockKey(session: Session, id: string, lockKey: string): Promise<void> {
  return session.transact(async (trx) => {
    const found = await trx
      .selectFrom('operations')
      .select(['target', 'lock_key'])
      .where('id', '=', id)
      .$if(session.engine.lockRows, (query) => query.forUpdate())
      .executeTakeFirst()
    if (found === undefined) throw operationNotFound(id)
    const { numUpdatedRows } = await trx
      .updateTable('operations')
      .set({ lock_key: lockKey })
      .where('id', '=', id)
      .where(isInLine)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n || found.target === null) return
    await trx
      .updateTable('targets')
      .set({ lock_key: lockKey })
      .where('name', '=', found.target)
      .where('lock_key', '=', found.lock_key)
      .execute()
  })
}
