import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'

/** A session in a database. */
interface Client {
  readonly pid: number
  readonly user: string | null
  readonly application: string
}

const POLL_MS = 50
const NOT_ALLOWED = '42501'
/** More names than that help nobody. */
const MOST_NAMED = 5

/** Of sessions of others the server does not tell everybody what kind they are. */
const CLIENTS = `
  SELECT pid, usename AS "user", coalesce(nullif(application_name, ''), backend_type, 'unknown') AS application
  FROM pg_stat_activity WHERE datid = ANY ($1::oid[]) AND pid <> pg_backend_pid() ORDER BY pid`

/** The condition again: meanwhile the number may belong to a session elsewhere. */
const END = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE pid = $1 AND datid = ANY ($2::oid[]) AND pid <> pg_backend_pid()`

/** Sessions in these databases, those of background workers included. */
export function clientsOf(session: Session, oids: readonly number[]): Promise<readonly Client[]> {
  return session.query<{ readonly [Key in keyof Client]: Client[Key] }>(CLIENTS, [oids])
}

/**
 * Ends every session in these databases, again and again until `stop`: clients that reconnect get no further than
 * the lock that somebody else holds meanwhile. The numbers of those that it may not end go into `refused`.
 */
export async function keepEndingClients(
  session: Session,
  oids: readonly number[],
  refused: Set<number>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    for (const { pid } of await clientsOf(session, oids)) {
      if (refused.has(pid)) continue
      await session.query(END, [pid, oids]).catch((error: unknown) => {
        if (sqlStateOf(error) !== NOT_ALLOWED) throw error
        refused.add(pid)
      })
    }
    await delay(POLL_MS, undefined, { signal: stop }).catch(() => {})
  }
}

/** Transactions that were prepared in a database and never finished, by name: no session can be ended for them. */
export async function preparedTransactions(
  session: Session,
  oids: readonly number[],
): Promise<readonly string[]> {
  const rows = await session.query<{ readonly gid: string }>(
    `SELECT p.gid FROM pg_prepared_xacts AS p JOIN pg_database AS d ON d.datname = p.database
     WHERE d.oid = ANY ($1::oid[]) ORDER BY p.prepared`,
    [oids],
  )
  return rows.map((row) => row.gid)
}

/** Says who is in the way; nobody if whoever it was has left by now. */
export async function inUse(session: Session, database: string, oids: readonly number[]): Promise<AppError> {
  const prepared = await preparedTransactions(session, oids)
  const clients = await clientsOf(session, oids)
  const who = [
    ...prepared.map((gid) => `prepared transaction ${shown(gid)}`),
    ...clients.map(
      ({ pid, user, application }) =>
        `pid ${pid} (user ${shown(user ?? 'none')}, application ${shown(application)})`,
    ),
  ]
  const more = who.length > MOST_NAMED ? [`${who.length - MOST_NAMED} more`] : []
  const named =
    who.length === 0 ? 'sessions that came and went' : [...who.slice(0, MOST_NAMED), ...more].join(', ')
  return new AppError(
    'DATABASE_LOCKED',
    `the database ${shown(database)} is in use and could not be freed: ${named}`,
    {
      hint:
        prepared.length > 0
          ? 'finish the prepared transactions with COMMIT PREPARED or ROLLBACK PREPARED, then ask again'
          : "grant the user pg_signal_backend, or end these sessions yourself (a superuser's only by a superuser)",
    },
  )
}

function shown(text: string): string {
  return text.length > 63 ? `${text.slice(0, 62)}…` : text
}
