import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { Session } from './session.ts'

const GONE_WITHIN_MS = 5_000
const POLL_MS = 20

/** The application_name of everything that works for an operation: 45 of the 63 bytes that it may have. */
export function tagOf(operationId: string): string {
  return `holdfast-${operationId}`
}

/**
 * Ends what still works on the server under a tag, whatever it is doing, and resolves with the number of sessions when
 * they are gone. The one that asks is spared, and so are sessions of other roles. Rejects with DATABASE_LOCKED if some
 * do not end within a few seconds.
 */
export async function endSessions(session: Session, tag: string): Promise<number> {
  const ended = await session.query(`SELECT pg_terminate_backend(pid) ${TAGGED}`, [tag])
  for (let waitedMs = 0; waitedMs < GONE_WITHIN_MS; waitedMs += POLL_MS) {
    if ((await session.query(`SELECT pid ${TAGGED}`, [tag])).length === 0) return ended.length
    await sleep(POLL_MS)
  }
  throw new AppError(
    'DATABASE_LOCKED',
    'sessions that an earlier attempt left on the PostgreSQL server do not end',
  )
}

const TAGGED = `FROM pg_stat_activity
  WHERE application_name = $1 AND pid <> pg_backend_pid() AND usename = session_user`
