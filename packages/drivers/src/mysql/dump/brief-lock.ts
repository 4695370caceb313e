import { performance } from 'node:perf_hooks'
import { AppError, hasCode } from '@holdfast/core'
import type { Session } from '../session.ts'

/** A single attempt waits no longer: whoever waits for such a lock may hold up others. */
const ATTEMPT_S = 2
/** After this the server ends a session that says nothing, and its lock: this very process may be what stands still. */
const IDLE_S = 15

/** No commit of the whole server ends while it is held. */
export interface BriefLock {
  /** Rejects if it was lost before. Returns for how many milliseconds commits may have waited. */
  release(): Promise<number>
}

/**
 * Takes the flavour's brief lock in a session that does nothing else, and whose end is the end of the lock, too.
 * Rejects with DATABASE_LOCKED if others are in its way for too long.
 */
export async function takeBriefLock(session: Session, withinMs: number): Promise<BriefLock> {
  const { take } = session.server.flavour.briefLock
  await session.query(`SET SESSION lock_wait_timeout = ${ATTEMPT_S}, SESSION wait_timeout = ${IDLE_S}`)
  const giveUpAt = performance.now() + withinMs
  for (;;) {
    const since = performance.now()
    let taken = 0
    try {
      for (const statement of take) {
        await session.query(statement)
        taken += 1
      }
      return { release: () => release(session, since) }
    } catch (error) {
      if (taken > 0) await giveBack(session)
      if (!hasCode(error, 'DATABASE_LOCKED')) throw error
      if (performance.now() >= giveUpAt) throw locked(error)
    }
  }
}

async function release(session: Session, since: number): Promise<number> {
  await giveBack(session)
  return performance.now() - since
}

async function giveBack(session: Session): Promise<void> {
  for (const statement of session.server.flavour.briefLock.giveBack) await session.query(statement)
}

function locked(cause: AppError): AppError {
  return new AppError('DATABASE_LOCKED', 'the brief lock of brief_lock=on was not to be had in time', {
    cause,
    hint: 'long statements or changes of tables are in its way: back up at a quieter time, raise lock_timeout, or leave out brief_lock',
  })
}
