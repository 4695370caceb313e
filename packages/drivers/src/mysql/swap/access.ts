import { createHash } from 'node:crypto'
import { AppError } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey } from '../mysql-url.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions, holdLock, lockOf } from '../tag.ts'
import type { runAction } from './run-action.ts'

/** What one exchange works with. */
export interface Access {
  readonly parts: MysqlParts
  readonly operationId: string
  readonly live: string
  /** Makes one change. */
  readonly run: typeof runAction
}

/** Throws INVALID_REQUEST before anything is asked of a server: a ticket of another place says nothing here. */
export function requirePlace({ connection }: MysqlParts, { place }: { readonly place: string }): string {
  if (connection.database !== null && place === mysqlLockKey(connection)) return connection.database
  throw new AppError(
    'INVALID_REQUEST',
    'the ticket of the restore is for another place than the target now names',
  )
}

/** Runs work on a session that is closed afterwards. */
export async function withSession<Result>(
  opening: Promise<Session>,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const session = await opening
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

/** No answer comes later than this, waits for locks included; the network can be cut without anybody being told. */
const ANSWERED_WITHIN_MS = 10 * 60_000

/**
 * Opens the one session that may change what is at a destination. What an earlier attempt of the operation left at work
 * is ended first. Rejects with DATABASE_LOCKED if another exchange does not end within the time for locks.
 */
export async function openExclusively({ parts, operationId, live }: Omit<Access, 'run'>): Promise<Session> {
  const session = await openBounded(parts)
  try {
    await endSessions(session, operationId)
    await holdLock(session, lockOf(operationId))
    if (await lockLive(session, live, parts.connection.lockTimeoutMs)) return session
    throw new AppError('DATABASE_LOCKED', `another restore is exchanging the database ${live}`, {
      hint: 'it holds the lock of the destination until it has ended: ask again later',
    })
  } catch (error) {
    await session.close()
    throw error
  }
}

/** Runs work on such a session. */
export function withExclusive<Result>(
  access: Omit<Access, 'run'>,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  return withSession(openExclusively(access), work)
}

/** A session that nothing but time ends: whoever is in the middle of a change decides himself when to stop. */
export async function openBounded({ connection }: MysqlParts): Promise<Session> {
  const session = await openSession(connection, { schema: null, signal: new AbortController().signal })
  const { id, server, encrypted, lost } = session
  return {
    ...{ id, server, encrypted, lost },
    query: (sql, params, options) => session.query(sql, params, { withinMs: ANSWERED_WITHIN_MS, ...options }),
    close: () => session.close(),
  }
}

/** Takes the lock of a destination for as long as the session lives; false if another session keeps it. */
export async function lockLive(session: Session, live: string, waitMs: number): Promise<boolean> {
  const name = `holdfast-to-${createHash('sha256').update(live).digest('hex').slice(0, 40)}`
  const [row] = await session.query<{ readonly held: number | string | null }>(
    'SELECT GET_LOCK(?, ?) AS held',
    [name, Math.ceil(waitMs / 1000)],
  )
  return Number(row?.held) === 1
}
