import type { HeldLock } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { DatabaseTransaction } from './engine.ts'

/** `target_locks`, as long as it is still held as it was when `held` was handed out. */
export function stillHeld(held: HeldLock) {
  return sql<SqlBool>`(lock_key = ${held.lockKey} and operation_id = ${held.operationId}
    and token = ${held.token} and fence = ${held.fence} and revoked = 0)`
}

/** The answer to everybody whose lock was taken over, revoked or given back. */
export function fenceLost(held: HeldLock): AppError {
  return new AppError(
    'FENCE_LOST',
    `operation ${held.operationId} does not hold its database's lock any more`,
    {
      hint: 'another worker has taken the operation over, or it has ended; nothing was written',
    },
  )
}

/** First statement of a fenced transaction: writes to the lock's row, so that nobody takes it before the commit. */
export async function requireFence(trx: DatabaseTransaction, held: HeldLock): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('target_locks')
    .set({ revoked: 0 })
    .where(stillHeld(held))
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) throw fenceLost(held)
}

/** First statement of a transaction that ends the hold: frees the lock, whose fence stays. */
export async function freeLock(trx: DatabaseTransaction, held: HeldLock): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('target_locks')
    .set({ operation_id: null, token: null, lease_until: 0 })
    .where(stillHeld(held))
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) throw fenceLost(held)
}
