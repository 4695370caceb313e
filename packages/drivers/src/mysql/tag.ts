import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import { errnoOf } from './failure.ts'
import type { Session } from './session.ts'

const GONE_WITHIN_MS = 5_000
const POLL_MS = 20
/** Sessions of one operation at the same time. */
const MOST_SESSIONS = 16
const NO_SUCH_THREAD = 1094

/**
 * The user lock that a session of an operation holds, by which it is found when its worker is lost; number 0 to 15, one
 * for each that there is at the same time.
 */
export function lockOf(operationId: string, number = 0): string {
  return number === 0 ? `holdfast-${operationId}` : `holdfast-${operationId}-${number}`
}

/** Takes a user lock for as long as the session lives. Rejects with DATABASE_LOCKED if another one has it. */
export async function holdLock(session: Session, lockName: string): Promise<void> {
  const [row] = await session.query<{ held: number | string | null }>('SELECT GET_LOCK(?, 0) AS held', [
    lockName,
  ])
  if (Number(row?.held) === 1) return
  throw new AppError('DATABASE_LOCKED', 'another session on the MySQL server works for the same operation')
}

/**
 * Ends what still works on the server for an operation, whatever it is doing, and resolves with the number of sessions
 * when they are gone. The one that asks is spared. Rejects with DATABASE_LOCKED if some do not end within a few
 * seconds.
 */
export async function endSessions(session: Session, operationId: string): Promise<number> {
  const names = Array.from({ length: MOST_SESSIONS }, (_, number) => lockOf(operationId, number))
  const asked = names.map((_, number) => `IS_USED_LOCK(?) AS holder${number}`).join(', ')
  return await endAll(session, async () => {
    const [row = {}] = await session.query<Record<string, number | string | null>>(`SELECT ${asked}`, names)
    return Object.values(row).flatMap((holder) => (holder === null ? [] : [Number(holder)]))
  })
}

/**
 * Ends all sessions whose default schema is this one, such as programs that load into a schema of ours, and resolves
 * with their number when they are gone. Others than our own account's are found with the PROCESS privilege only.
 */
export async function endSessionsOf(session: Session, schema: string): Promise<number> {
  return await endAll(session, async () => {
    const sql = 'SELECT id FROM information_schema.processlist WHERE CAST(db AS BINARY) = CAST(? AS BINARY)'
    const rows = await session.query<{ id: number | string }>(sql, [schema])
    return rows.map(({ id }) => Number(id))
  })
}

async function endAll(session: Session, find: () => Promise<readonly number[]>): Promise<number> {
  const others = async () => (await find()).filter((id) => id !== session.id)
  const ended = new Set<number>()
  for (let waitedMs = 0; waitedMs < GONE_WITHIN_MS; waitedMs += POLL_MS) {
    const left = await others()
    if (left.length === 0) return ended.size
    for (const id of left.filter((known) => !ended.has(known))) {
      ended.add(id)
      await kill(session, id)
    }
    await sleep(POLL_MS)
  }
  throw new AppError(
    'DATABASE_LOCKED',
    'sessions that an earlier attempt left on the MySQL server do not end',
  )
}

async function kill(session: Session, id: number): Promise<void> {
  try {
    await session.query(`KILL CONNECTION ${id}`)
  } catch (error) {
    // it ended by itself
    if (errnoOf(error) !== NO_SUCH_THREAD) throw error
  }
}
