import { setTimeout as delay } from 'node:timers/promises'
import { throwIfAborted } from '@holdfast/core'
import type { Relation } from '../contents/list-relations.ts'
import type { Session } from '../session.ts'

const POLL_MS = 20

const LOCKS = `
  SELECT count(*) FILTER (WHERE l.granted)::int AS granted, count(*) FILTER (WHERE NOT l.granted)::int AS waiting
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE a.application_name = $1 AND a.pid <> ALL ($2::int[])
    AND l.locktype = 'relation' AND l.mode = 'AccessShareLock' AND l.relation = ANY ($3::oid[])
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Who is to get which locks. */
export interface LockWait {
  /** The application name of pg_dump, and of our own sessions, which have the locks already. */
  readonly tag: string
  readonly sessions: readonly [Session, ...Session[]]
  readonly dumped: readonly Relation[]
  readonly ended: Promise<unknown>
}

/**
 * Waits until pg_dump, too, has locked all tables, or has ended. `overtaken` if somebody who wants a table for himself
 * came in between: he waits for our locks, and pg_dump waits behind him. Nothing will move until we let go.
 */
export async function awaitLocks(wait: LockWait, signal: AbortSignal): Promise<'locked' | 'overtaken'> {
  const { tag, sessions, dumped } = wait
  const tables = dumped.filter(({ kind }) => kind === 'r' || kind === 'p').map(({ oid }) => oid)
  const ours = sessions.map(({ pid }) => pid)
  let hasEnded = false
  const ended = wait.ended.then(() => {
    hasEnded = true
  })
  for (;;) {
    throwIfAborted(signal)
    // a transaction sees the sessions that there were when it first asked for them
    await sessions[0].query('SELECT pg_stat_clear_snapshot()')
    const [row] = await sessions[0].query<{ granted: number; waiting: number }>(LOCKS, [tag, ours, tables])
    if (row === undefined || hasEnded || row.granted >= tables.length) return 'locked'
    if (row.waiting > 0) return 'overtaken'
    await Promise.race([delay(POLL_MS), ended])
  }
}
