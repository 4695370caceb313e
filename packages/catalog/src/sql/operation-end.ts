import type { Failure, HeldLock, NextInLine, OperationEnd } from '@holdfast/core'
import { isoNow } from '@holdfast/core/domain'
import { completeBackup, failBackup, recordVerification } from './backup-outcome.ts'
import type { DatabaseTransaction } from './engine.ts'
import { fenceLost, freeLock } from './fence.ts'
import { readNextInLine } from './line.ts'
import { toJson } from './rows.ts'
import type { Session } from './session.ts'
import type { OperationRow } from './tables.ts'

/** The failure of an operation that was cancelled, and of the backup it would have made. */
export const CANCELLED: Failure = { code: 'CANCELLED', detail: 'cancelled', hint: null }

/** Writes all that became of an operation and frees its lock, or nothing at all. */
export function endOperation(
  session: Session,
  held: HeldLock,
  end: OperationEnd,
): Promise<NextInLine | null> {
  return session.transact(async (trx) => {
    await freeLock(trx, held)
    const row = await trx
      .updateTable('operations')
      .set({
        state: end.state,
        result: toJson(end.result),
        error: toJson(end.failure ?? (end.state === 'cancelled' ? CANCELLED : null)),
        finished_at: isoNow(session.clock),
      })
      .where('id', '=', held.operationId)
      .where('state', '=', 'running')
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw fenceLost(held)
    await writeBackup(session, trx, row, end)
    await writeReplaced(session, trx, end)
    return await readNextInLine(session, trx, held.lockKey)
  })
}

async function writeBackup(
  session: Session,
  trx: DatabaseTransaction,
  row: OperationRow,
  end: OperationEnd,
): Promise<void> {
  const outcome = end.backup
  if (row.type === 'backup') {
    // a group has no backup of its own
    if (row.backup_id === null) return requireNoBackup(outcome)
    const completed = outcome?.kind === 'completed'
    if (completed !== (end.state === 'completed')) {
      throw new TypeError(
        `a backup operation cannot end ${end.state} with its backup ${outcome?.kind ?? 'unsaid'}`,
      )
    }
    if (completed) return await completeBackup(trx, row.backup_id, outcome)
    const failure = outcome?.kind === 'failed' ? outcome.failure : (end.failure ?? CANCELLED)
    return await failBackup(trx, row.backup_id, failure)
  }
  if (outcome === null) return
  if (outcome.kind !== 'verified' || row.backup_id === null) {
    throw new TypeError(`a ${row.type} operation cannot end with its backup ${outcome.kind}`)
  }
  await recordVerification(session, trx, row.backup_id, outcome.verification)
}

function requireNoBackup(outcome: OperationEnd['backup']): void {
  if (outcome !== null) throw new TypeError(`a group cannot end with its backup ${outcome.kind}`)
}

async function writeReplaced(session: Session, trx: DatabaseTransaction, end: OperationEnd): Promise<void> {
  if (end.undone !== null) await trx.deleteFrom('replaced').where('operation_id', '=', end.undone).execute()
  if (end.replaced === null) return
  const { operationId, target, engine, ticket, location, expiresAt } = end.replaced
  await trx
    .insertInto('replaced')
    .values({
      operation_id: operationId,
      target,
      engine,
      ticket,
      location,
      created_at: isoNow(session.clock),
      expires_at: expiresAt,
    })
    .execute()
}
