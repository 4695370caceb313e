import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresRow, PostgresServer } from '@holdfast/testing'

const SETTLED_WITHIN_MS = 10_000
const SEEN_WITHIN_MS = 30_000

/** What Holdfast has made on a server, by name. */
export async function ourDatabases(server: PostgresServer): Promise<readonly string[]> {
  const rows = await server.sql(
    'postgres',
    "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast\\_%' ORDER BY 1",
  )
  return rows.map(({ datname }) => String(datname))
}

/** What sessions of Holdfast do on a server at this moment. */
export async function ourSessions(server: PostgresServer): Promise<readonly PostgresRow[]> {
  return server.sql(
    'postgres',
    `SELECT pid, datname, application_name, state, left(query, 200) AS query FROM pg_stat_activity
     WHERE application_name LIKE 'holdfast%' ORDER BY pid`,
  )
}

/** Waits until no session of Holdfast is left; returns those that are still there when the time is up. */
export async function sessionsLeft(
  server: PostgresServer,
  withinMs = SETTLED_WITHIN_MS,
): Promise<readonly PostgresRow[]> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const left = await ourSessions(server)
    if (left.length === 0 || performance.now() > deadline) return left
    await sleep(50)
  }
}

/** Waits until a session of Holdfast works on something that fits. */
export async function untilBusy(server: PostgresServer, query: RegExp, database = /./): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN_MS
  for (;;) {
    const sessions = await ourSessions(server)
    const found = sessions.some(
      (session) =>
        session.state === 'active' &&
        query.test(String(session.query)) &&
        database.test(String(session.datname)),
    )
    if (found) return
    if (performance.now() > deadline)
      throw new Error(`nothing like ${query} was seen: ${JSON.stringify(sessions)}`)
    await sleep(10)
  }
}
