import type { Acquisition, HeldLock, OperationState } from '@holdfast/core'
import { isFinished, isoNow } from '@holdfast/core/domain'
import { sql } from 'kysely'
import type { DatabaseTransaction } from './engine.ts'
import { wholeMs } from './lease.ts'
import { isBehind } from './line.ts'
import { operationNotFound } from './operation-read.ts'
import { toOperation } from './rows.ts'
import type { Session } from './session.ts'
import { TryAgain } from './session.ts'
import type { OperationRow } from './tables.ts'

interface AcquireRequest {
  readonly operationId: string
  readonly token: string
  readonly leaseMs: number
}

/** The lock as it was read, with the time it was read at. */
interface LockState {
  readonly operationId: string | null
  readonly token: string | null
  readonly fence: number
  readonly leaseUntil: number
  readonly revoked: boolean
  readonly ownerState: OperationState | null
  readonly nowMs: number
}

/** Whoever is parked is promoted when the lock becomes free; this is only for when that goes wrong. */
const PARK_MS = 30_000
/** Past the end of a lease by this much, so that the next try does not come a moment too early. */
const AFTER_LEASE_MS = 50

/** Takes the lock for an operation, or puts the operation in line. */
export function acquireLock(session: Session, request: AcquireRequest): Promise<Acquisition> {
  return session.transact(async (trx) => {
    const lockKey = await readLockKey(trx, request.operationId)
    const lock = await readLock(session, trx, lockKey)
    const row = await readForUpdate(session, trx, request.operationId)
    // a stronger identity was found at this very moment
    if (row.lock_key !== lockKey) throw new TryAgain()
    if (isFinished(row)) return { granted: false, finished: toOperation(row) }
    return await decide(session, trx, request, lock, row)
  })
}

async function decide(
  session: Session,
  trx: DatabaseTransaction,
  request: AcquireRequest,
  lock: LockState,
  row: OperationRow,
): Promise<Acquisition> {
  const leaseLeftMs = lock.leaseUntil - lock.nowMs
  if (lock.operationId === request.operationId) {
    if (leaseLeftMs <= 0) return await grant(session, trx, request, lock, row, 'take-over')
    // the same worker asking again: its first answer was lost on the way
    if (lock.token === request.token && !lock.revoked) return heldAlready(row, lock, request)
    await trx.updateTable('target_locks').set({ revoked: 1 }).where('lock_key', '=', row.lock_key).execute()
    return { granted: false, retryInMs: leaseLeftMs + AFTER_LEASE_MS }
  }
  if (row.not_before > lock.nowMs) return await park(trx, row, row.not_before - lock.nowMs)
  if (lock.operationId !== null) {
    // a lapsed lease on unfinished work frees nothing: whoever resumes that work goes first
    if (lock.ownerState === null || !isFinished({ state: lock.ownerState }))
      return await park(trx, row, PARK_MS)
    if (leaseLeftMs > 0) return await park(trx, row, Math.min(PARK_MS, leaseLeftMs + AFTER_LEASE_MS))
  }
  const behind = await isBehind(session, trx, row)
  return behind ? await park(trx, row, PARK_MS) : await grant(session, trx, request, lock, row, 'free')
}

async function readLockKey(trx: DatabaseTransaction, id: string): Promise<string> {
  const row = await trx.selectFrom('operations').select('lock_key').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw operationNotFound(id)
  return row.lock_key
}

/** Reads the lock's row, made if this is its first use, and keeps everybody else from changing it. */
async function readLock(session: Session, trx: DatabaseTransaction, lockKey: string): Promise<LockState> {
  const read = () =>
    trx
      .selectFrom('target_locks')
      .select((eb) => [
        'target_locks.operation_id as operationId',
        'token',
        'fence',
        'lease_until as leaseUntil',
        'revoked',
        eb
          .selectFrom('operations')
          .select('state')
          .whereRef('operations.id', '=', 'target_locks.operation_id')
          .as('ownerState'),
        session.engine.leaseNow().as('nowMs'),
      ])
      .where('lock_key', '=', lockKey)
      .$if(session.engine.lockRows, (query) => query.forUpdate())
      .executeTakeFirst()
  let row = await read()
  if (row === undefined) {
    await trx
      .insertInto('target_locks')
      .values({ lock_key: lockKey, operation_id: null, token: null, fence: 0, lease_until: 0, revoked: 0 })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    row = await read()
  }
  if (row === undefined) throw new TryAgain()
  return { ...row, revoked: row.revoked === 1 }
}

async function readForUpdate(session: Session, trx: DatabaseTransaction, id: string): Promise<OperationRow> {
  const row = await trx
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', id)
    .$if(session.engine.lockRows, (query) => query.forUpdate())
    .executeTakeFirst()
  if (row === undefined) throw operationNotFound(id)
  return row
}

async function park(trx: DatabaseTransaction, row: OperationRow, retryInMs: number): Promise<Acquisition> {
  if (row.state === 'queued') {
    await trx
      .updateTable('operations')
      .set({ state: 'waiting' })
      .where('id', '=', row.id)
      .where('state', '=', 'queued')
      .execute()
  }
  return { granted: false, retryInMs: Math.max(1, Math.ceil(retryInMs)) }
}

function heldAlready(row: OperationRow, lock: LockState, request: AcquireRequest): Acquisition {
  const held = heldLock(row, request, lock.fence)
  return { granted: true, held, operation: toOperation(row), takenOver: false }
}

function heldLock(row: OperationRow, request: AcquireRequest, fence: number): HeldLock {
  return { lockKey: row.lock_key, operationId: row.id, token: request.token, fence }
}

async function grant(
  session: Session,
  trx: DatabaseTransaction,
  request: AcquireRequest,
  lock: LockState,
  row: OperationRow,
  why: 'free' | 'take-over',
): Promise<Acquisition> {
  const fence = lock.fence + 1
  const taken = await trx
    .updateTable('target_locks')
    .set({
      operation_id: row.id,
      token: request.token,
      fence,
      lease_until: sql<number>`${session.engine.leaseNow()} + ${sql.lit(wholeMs(request.leaseMs))}`,
      revoked: 0,
    })
    .where('lock_key', '=', row.lock_key)
    // nobody can have come in between; if somebody has after all, this writes nothing
    .where('fence', '=', lock.fence)
    .where((eb) =>
      eb.or([eb('operation_id', 'is', null), eb('lease_until', '<=', session.engine.leaseNow())]),
    )
    .executeTakeFirst()
  if (taken.numUpdatedRows !== 1n) throw new TryAgain()
  const running = await start(session, trx, row)
  return {
    granted: true,
    held: heldLock(row, request, fence),
    operation: toOperation(running),
    takenOver: why === 'take-over',
  }
}

async function start(session: Session, trx: DatabaseTransaction, row: OperationRow): Promise<OperationRow> {
  const now = isoNow(session.clock)
  const running = await trx
    .updateTable('operations')
    .set({ state: 'running', attempts: row.attempts + 1, started_at: row.started_at ?? now, not_before: 0 })
    .where('id', '=', row.id)
    .where('state', 'in', ['queued', 'waiting', 'running'])
    .returningAll()
    .executeTakeFirst()
  if (running === undefined) throw new TryAgain()
  if (row.type === 'backup' && row.backup_id !== null) {
    await trx
      .updateTable('backups')
      .set({ status: 'in_progress', started_at: now })
      .where('id', '=', row.backup_id)
      .where('status', '=', 'pending')
      .execute()
  }
  return running
}
