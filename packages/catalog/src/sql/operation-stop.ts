import type { Failure, NextInLine, Operation } from '@holdfast/core'
import { AppError, isFinished, isoNow } from '@holdfast/core/domain'
import { failBackup } from './backup-outcome.ts'
import type { DatabaseTransaction } from './engine.ts'
import { readNextInLine } from './line.ts'
import { operationNotFound } from './operation-read.ts'
import { isInLine } from './predicates.ts'
import { toJson, toOperation } from './rows.ts'
import type { Session } from './session.ts'
import type { OperationRow } from './tables.ts'

interface Cancelled {
  readonly operation: Operation
  readonly next: NextInLine | null
}

const CANCELLED_BEFORE: Failure = { code: 'CANCELLED', detail: 'cancelled before it began', hint: null }

/** Fails what cannot even begin. What is running or finished is left alone. */
export function failUnstartedOperation(
  session: Session,
  id: string,
  failure: Failure,
): Promise<NextInLine | null> {
  return session.transact(async (trx) => {
    const row = await readLocked(session, trx, id)
    const stopped = await stop(session, trx, row, 'failed', failure)
    return stopped === null ? null : await readNextInLine(session, trx, row.lock_key)
  })
}

/** Cancels what is in line at once; what a worker has begun is flagged for whoever has it, or takes it next. */
export function requestOperationCancel(session: Session, id: string): Promise<Cancelled> {
  return session.transact(async (trx) => {
    const row = await readLocked(session, trx, id)
    if (isFinished(row)) {
      throw new AppError('OPERATION_FINISHED', `the operation is ${row.state} already`, {
        hint: 'a restore can be undone instead, as long as what it replaced is kept',
      })
    }
    // handed back half done: somebody must finish or reverse it first
    if (row.state === 'running' || row.journal !== null) return await flag(trx, id)
    const stopped = await stop(session, trx, row, 'cancelled', CANCELLED_BEFORE)
    if (stopped === null) return await flag(trx, id)
    return { operation: toOperation(stopped), next: await readNextInLine(session, trx, row.lock_key) }
  })
}

async function readLocked(session: Session, trx: DatabaseTransaction, id: string): Promise<OperationRow> {
  const row = await trx
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', id)
    .$if(session.engine.lockRows, (query) => query.forUpdate())
    .executeTakeFirst()
  if (row === undefined) throw operationNotFound(id)
  return row
}

async function flag(trx: DatabaseTransaction, id: string): Promise<Cancelled> {
  const row = await trx
    .updateTable('operations')
    .set({ cancel_requested: 1 })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { operation: toOperation(row), next: null }
}

async function stop(
  session: Session,
  trx: DatabaseTransaction,
  row: OperationRow,
  state: 'failed' | 'cancelled',
  failure: Failure,
): Promise<OperationRow | null> {
  const stopped = await trx
    .updateTable('operations')
    .set({
      state,
      error: toJson(failure),
      finished_at: isoNow(session.clock),
      ...(state === 'cancelled' && { cancel_requested: 1 as const }),
    })
    .where('id', '=', row.id)
    .where(isInLine)
    .returningAll()
    .executeTakeFirst()
  if (stopped === undefined) return null
  if (row.type === 'backup' && row.backup_id !== null) await failBackup(trx, row.backup_id, failure)
  return stopped
}
