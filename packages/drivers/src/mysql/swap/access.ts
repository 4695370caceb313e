import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey } from '../mysql-url.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions, holdLock } from '../tag.ts'
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

/** On top of the time for locks. */
const SETTLED_WITHIN_MS = 30_000
const POLL_MS = 50
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
    await outlast(session, operationId, parts.connection.lockTimeoutMs)
    await holdLock(session, exchangeLockOf(operationId))
    if (await lockLive(session, live, parts.connection.lockTimeoutMs)) return session
    throw new AppError('DATABASE_LOCKED', `another restore is exchanging the database ${live}`, {
      hint: 'it holds the lock of the destination until it has ended: ask again later',
    })
  } catch (error) {
    await session.close()
    throw error
  }
}

/** The user lock that the session of an exchange holds. */
export function exchangeLockOf(operationId: string): string {
  return `holdfast-swap-${operationId}`
}

/**
 * Waits for the statement that an earlier attempt left at work, and ends its session then. A statement is never ended
 * itself: MariaDB loses the triggers of a table, and with them the table, when a RENAME is killed at the wrong moment.
 */
async function outlast(session: Session, operationId: string, lockTimeoutMs: number): Promise<void> {
  const until = performance.now() + lockTimeoutMs + SETTLED_WITHIN_MS
  while (performance.now() < until) {
    const [left] = await session.query<{ readonly id: number | string; readonly command: string }>(
      'SELECT ID AS id, COMMAND AS command FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK(?)',
      [exchangeLockOf(operationId)],
    )
    if (left === undefined) return
    // one that has ended by itself meanwhile is as good
    if (left.command === 'Sleep') await session.query(`KILL CONNECTION ${left.id}`).catch(() => {})
    await delay(POLL_MS)
  }
  throw new AppError(
    'DATABASE_LOCKED',
    'a statement that an earlier attempt left on the MySQL server does not end',
  )
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
  // servers that know no case have one lock for all spellings; others do not mind
  const name = `holdfast-to-${createHash('sha256').update(live.toLowerCase()).digest('hex').slice(0, 40)}`
  const [row] = await session.query<{ readonly held: number | string | null }>(
    'SELECT GET_LOCK(?, ?) AS held',
    [name, Math.ceil(waitMs / 1000)],
  )
  return Number(row?.held) === 1
}
