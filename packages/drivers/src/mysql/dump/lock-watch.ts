import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'

/** Which dump program may wait for a lock, and how long. It has no limit of its own that could be set. */
export interface LockWatch {
  readonly session: Session
  readonly schema: string
  readonly lockTimeoutMs: number
  readonly askEveryMs: number
}

const WAITING = `
  SELECT info FROM information_schema.processlist
  WHERE CAST(db AS BINARY) = CAST(? AS BINARY) AND id <> CONNECTION_ID() AND time >= ?
    AND (state LIKE 'Waiting for %lock' OR state = 'Waiting for table flush') AND info REGEXP '^(SELECT /[*]!40001|SHOW |SELECT .*INFORMATION_SCHEMA)'`

/**
 * Does work beside a dump program. When that has waited for a lock of another session for too long, the signal of the
 * work is aborted, and this rejects with DATABASE_LOCKED, naming the table.
 */
export async function whileNotLocked<Result>(
  watch: LockWatch,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController()
  const locked = new AbortController()
  const watching = askOften(watch, done.signal).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'DATABASE_LOCKED') locked.abort(error)
    // that nobody answers any more is found out by others
  })
  try {
    return await work(AbortSignal.any([signal, locked.signal]))
  } catch (error) {
    throw locked.signal.aborted ? locked.signal.reason : error
  } finally {
    done.abort()
    await watching
  }
}

async function askOften(
  { session, schema, lockTimeoutMs, askEveryMs }: LockWatch,
  done: AbortSignal,
): Promise<void> {
  const seconds = Math.max(1, Math.ceil(lockTimeoutMs / 1000))
  for (;;) {
    await delay(Math.min(askEveryMs, lockTimeoutMs), undefined, { signal: done })
    const [waiting] = await session.query<{ info: string }>(WAITING, [schema, seconds])
    if (waiting !== undefined) throw lockedAt(waiting.info)
  }
}

function lockedAt(statement: string): AppError {
  const table = /(?:FROM|TABLE) (`(?:[^`]|``){1,64}`)/i.exec(statement)?.[1] ?? 'a table'
  return new AppError(
    'DATABASE_LOCKED',
    `another session holds a lock on ${table} and did not release it in time`,
    {
      hint: 'find it with SHOW PROCESSLIST, or raise lock_timeout in the URL',
    },
  )
}
