import type { Operation, OperationFilter, Page, PageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { Database, DatabaseTransaction } from './engine.ts'
import { readPage } from './page.ts'
import { isInLine, isUnfinished } from './predicates.ts'
import { toOperation } from './rows.ts'
import type { Session } from './session.ts'
import type { TargetRow } from './tables.ts'

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
  const { state, type, target, backupId, group } = filter
  const matching = (db: Database) =>
    db.selectFrom('operations').where((eb) =>
      eb.and({
        ...(state !== undefined && { state }),
        ...(type !== undefined && { type }),
        ...(target !== undefined && { target }),
        ...(backupId !== undefined && { backup_id: backupId }),
        ...(group !== undefined && { group_id: group }),
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

export async function listMembers(session: Session, groupId: string): Promise<readonly Operation[]> {
  const rows = await session.run((db) =>
    db.selectFrom('operations').selectAll().where('group_id', '=', groupId).orderBy('seq').execute(),
  )
  return rows.map(toOperation)
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
    const { target } = await readTarget(trx, id)
    // in the order in which accepting locks them: target, then operation
    const known = target === null ? undefined : await lockTarget(session, trx, target)
    const found = await trx
      .selectFrom('operations')
      .select('lock_key')
      .where('id', '=', id)
      .$if(session.engine.lockRows, (query) => query.forUpdate())
      .executeTakeFirstOrThrow()
    const { numUpdatedRows } = await trx
      .updateTable('operations')
      .set({ lock_key: lockKey })
      .where('id', '=', id)
      .where(isInLine)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n || known?.lock_key !== found.lock_key) return
    await trx.updateTable('targets').set({ lock_key: lockKey }).where('name', '=', known.name).execute()
  })
}

async function readTarget(trx: DatabaseTransaction, id: string): Promise<{ readonly target: string | null }> {
  const row = await trx.selectFrom('operations').select('target').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw operationNotFound(id)
  return row
}

function lockTarget(
  session: Session,
  trx: DatabaseTransaction,
  name: string,
): Promise<Pick<TargetRow, 'name' | 'lock_key'> | undefined> {
  return trx
    .selectFrom('targets')
    .select(['name', 'lock_key'])
    .where('name', '=', name)
    .$if(session.engine.lockRows, (query) => query.forUpdate())
    .executeTakeFirst()
}
