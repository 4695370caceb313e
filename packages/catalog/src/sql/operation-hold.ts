import type { HeldLock, NextInLine, Pause, Progress } from '@holdfast/core'
import { sql } from 'kysely'
import { fenceLost, freeLock, requireFence, stillHeld } from './fence.ts'
import { wholeMs } from './lease.ts'
import { readNextInLine } from './line.ts'
import { toJson } from './rows.ts'
import type { Session } from './session.ts'

/** Prolongs the lease from now on; also one that has lapsed, if nobody has taken the operation over. */
export async function renewLease(session: Session, held: HeldLock, leaseMs: number): Promise<boolean> {
  const lease = sql<number>`${session.engine.leaseNow()} + ${sql.lit(wholeMs(leaseMs))}`
  const { numUpdatedRows } = await session.run((db) =>
    db.updateTable('target_locks').set({ lease_until: lease }).where(stillHeld(held)).executeTakeFirst(),
  )
  return numUpdatedRows === 1n
}

export async function confirmHeld(session: Session, held: HeldLock): Promise<void> {
  const found = await session.run((db) =>
    db.selectFrom('target_locks').select('fence').where(stillHeld(held)).executeTakeFirst(),
  )
  if (found === undefined) throw fenceLost(held)
}

export function setOperationProgress(
  session: Session,
  held: HeldLock,
  phase: string,
  progress: Progress,
): Promise<void> {
  return writeFenced(session, held, { phase, progress: toJson(progress) })
}

export function setOperationJournal(session: Session, held: HeldLock, journal: string | null): Promise<void> {
  return writeFenced(session, held, { journal })
}

type FencedChange =
  | { readonly phase: string; readonly progress: string }
  | { readonly journal: string | null }

function writeFenced(session: Session, held: HeldLock, change: FencedChange): Promise<void> {
  return session.transact(async (trx) => {
    await requireFence(trx, held)
    const { numUpdatedRows } = await trx
      .updateTable('operations')
      .set(change)
      .where('id', '=', held.operationId)
      .where('state', '=', 'running')
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw fenceLost(held)
  })
}

/** Frees the lock and puts the operation back in its place in line. */
export function handBackOperation(
  session: Session,
  held: HeldLock,
  options: { readonly countAttempt: boolean; readonly notBeforeMs: number },
): Promise<NextInLine | null> {
  const notBeforeMs = options.notBeforeMs === 0 ? 0 : wholeMs(options.notBeforeMs)
  return session.transact(async (trx) => {
    await freeLock(trx, held)
    const { numUpdatedRows } = await trx
      .updateTable('operations')
      .set((eb) => ({
        state: 'queued',
        phase: null,
        progress: toJson({ bytes: 0 }),
        not_before: sql<number>`${session.engine.leaseNow()} + ${sql.lit(notBeforeMs)}`,
        ...(!options.countAttempt && { attempts: eb('attempts', '-', 1) }),
      }))
      .where('id', '=', held.operationId)
      .where('state', '=', 'running')
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw fenceLost(held)
    return await readNextInLine(session, trx, held.lockKey)
  })
}

/** Frees the lock and lets the operation stand at the head of the line, where its journal keeps it. */
export function pauseOperation(session: Session, held: HeldLock, { phase, progress }: Pause): Promise<void> {
  return session.transact(async (trx) => {
    await freeLock(trx, held)
    const paused = await trx
      .updateTable('operations')
      .set((eb) => ({
        state: 'waiting',
        phase,
        progress: toJson(progress),
        not_before: 0,
        attempts: eb('attempts', '-', 1),
      }))
      .where('id', '=', held.operationId)
      .where('state', '=', 'running')
      .returning('journal')
      .executeTakeFirst()
    if (paused === undefined) throw fenceLost(held)
    if (paused.journal === null) throw new TypeError('only work with a journal can pause')
  })
}
