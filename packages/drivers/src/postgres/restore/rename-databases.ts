import { AppError, throwIfAborted } from '@holdfast/core'
import { escapeIdentifier } from 'pg'
import { CONSENT_WITHIN_MS, consent } from '../../client-server/consent.ts'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import { inUse, keepEndingClients, preparedTransactions } from './end-clients.ts'
import type { ServerAccess } from './maintenance.ts'
import { openBriefly, openMaintenance, withSession } from './maintenance.ts'

/** A database, known by its oid, that gets another name. */
export interface Renaming {
  readonly oid: number
  readonly from: string
  readonly to: string
  /** How many sessions it may have from then on; as it is if it is not given. */
  readonly connectionLimit?: number
}

/** What the caller has to say, and hears. */
export interface RenamingHooks {
  readonly confirm: () => Promise<void>
  /** The number of the session whose transaction it is. */
  readonly onSession: (pid: number) => void
}

const ATTEMPTS = 3
const IN_USE = '55006'
/** Clients that want in wait with us: no longer than this, whatever else may take. */
const MOST_LOCKED_MS = 10_000
/** The server waits up to five seconds for sessions to go, for each name. */
const ANSWERED_WITHIN_MS = 30_000

/** Nothing may leave the locks of this transaction behind: not a network that is cut, not a worker that hangs. */
const begin = (lockTimeoutMs: number) => `
  BEGIN;
  SET LOCAL lock_timeout = ${Math.min(lockTimeoutMs, MOST_LOCKED_MS)};
  SET LOCAL statement_timeout = 0;
  SET LOCAL idle_in_transaction_session_timeout = ${CONSENT_WITHIN_MS};
  SET LOCAL tcp_keepalives_idle = 5;
  SET LOCAL tcp_keepalives_interval = 5;
  SET LOCAL tcp_keepalives_count = 3;
  SET LOCAL tcp_user_timeout = 20000;
  SET LOCAL synchronous_commit = on`

/**
 * Renames databases in one transaction while a second session ends their clients. `confirm` is awaited right before
 * the commit, when nobody can connect any more. If it rejects, nothing is changed. Rejects with DATABASE_LOCKED,
 * naming who is in the way. If the connection breaks in the commit itself, only looking tells whether it happened.
 */
export async function renameDatabases(
  access: ServerAccess,
  renamings: readonly Renaming[],
  { confirm, onSession }: RenamingHooks,
  signal: AbortSignal,
): Promise<void> {
  await withSession(openMaintenance(access, signal), async (session) => {
    onSession(session.pid)
    await requireNonePrepared(session, access, renamings)
    await lockAndRename(access, session, renamings, signal)
    try {
      await consent(confirm, signal, session.lost)
    } catch (error) {
      // a session that is gone has taken its transaction with it
      await session.query('ROLLBACK', [], { withinMs: ANSWERED_WITHIN_MS }).catch(() => {})
      throw error
    }
    await session.query('COMMIT', [], { withinMs: ANSWERED_WITHIN_MS })
  })
}

async function lockAndRename(
  access: ServerAccess,
  session: Session,
  renamings: readonly Renaming[],
  signal: AbortSignal,
): Promise<void> {
  const refused = new Set<number>()
  for (let attempt = 1; ; attempt += 1) {
    throwIfAborted(signal)
    try {
      const place = { access, database: session.database, oids: oidsOf(renamings), refused }
      return await whileClientsEnd(place, signal, () => rename(access, session, renamings))
    } catch (error) {
      if (session.lost.aborted || signal.aborted) throw error
      await session.query('ROLLBACK', [], { withinMs: ANSWERED_WITHIN_MS })
      if (sqlStateOf(error) !== IN_USE) throw error
      if (attempt === ATTEMPTS || refused.size > 0)
        throw await inUse(session, access.destination, oidsOf(renamings))
    }
  }
}

async function rename(
  { connection }: ServerAccess,
  session: Session,
  renamings: readonly Renaming[],
): Promise<void> {
  const within = { withinMs: ANSWERED_WITHIN_MS }
  await session.query(begin(connection.lockTimeoutMs), [], within)
  for (const { oid, from, to, connectionLimit } of renamings) {
    await session.query(
      `ALTER DATABASE ${escapeIdentifier(from)} RENAME TO ${escapeIdentifier(to)}`,
      [],
      within,
    )
    const [row] = await session.query<{ readonly oid: number }>(
      'SELECT oid FROM pg_database WHERE datname = $1',
      [to],
      within,
    )
    if (row?.oid !== oid) {
      throw new AppError(
        'DATABASE_LOCKED',
        `the database ${from} was exchanged for another one at this moment`,
      )
    }
    if (connectionLimit === undefined) continue
    await session.query(
      `ALTER DATABASE ${escapeIdentifier(to)} CONNECTION LIMIT ${connectionLimit}`,
      [],
      within,
    )
  }
}

interface Ending {
  readonly access: ServerAccess
  /** Where the session is that does the ending. */
  readonly database: string
  readonly oids: readonly number[]
  readonly refused: Set<number>
}

/** A second session does the ending: the first one waits for it in the server. */
async function whileClientsEnd<Result>(
  { access, database, oids, refused }: Ending,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController()
  const ender = await openBriefly(access, database, signal)
  const ending = keepEndingClients(ender, oids, refused, stop.signal)
  try {
    const [result] = await Promise.all([work().finally(() => stop.abort()), ending])
    return result
  } finally {
    stop.abort()
    await ending.catch(() => {})
    await ender.close()
  }
}

async function requireNonePrepared(
  session: Session,
  { destination }: ServerAccess,
  renamings: readonly Renaming[],
): Promise<void> {
  const oids = oidsOf(renamings)
  if ((await preparedTransactions(session, oids)).length > 0) throw await inUse(session, destination, oids)
}

function oidsOf(renamings: readonly Renaming[]): readonly number[] {
  return renamings.map((renaming) => renaming.oid)
}
