import { setTimeout as sleep } from 'node:timers/promises'
import type { MariadbServer, MysqlRow } from '@holdfast/testing'

const SETTLED_WITHIN_MS = 10_000
const SEEN_WITHIN_MS = 30_000

/** Schemas that Holdfast has made on a server. */
export async function ourSchemas(server: MariadbServer): Promise<readonly string[]> {
  const rows = await server.sql(
    null,
    "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'holdfast\\_%' ORDER BY 1",
  )
  return rows.map(({ name }) => String(name))
}

/** Sessions of all clients but the one that asks, once those that go have had their time. */
export async function sessionsLeft(
  server: MariadbServer,
  withinMs = SETTLED_WITHIN_MS,
): Promise<readonly MysqlRow[]> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const left = await server.sql(
      null,
      `SELECT ID, DB, COMMAND, LEFT(INFO, 200) AS info FROM information_schema.PROCESSLIST
       WHERE ID <> CONNECTION_ID() AND USER NOT IN ('system user', 'event_scheduler')`,
    )
    if (left.length === 0 || performance.now() > deadline) return left
    await sleep(50)
  }
}

/** Waits until a session works on a statement that fits. */
export async function untilBusy(server: MariadbServer, statement: RegExp): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN_MS
  for (;;) {
    const sessions = await server.sql(
      null,
      'SELECT ID AS id, DB AS db, LEFT(INFO, 200) AS info FROM information_schema.PROCESSLIST WHERE INFO IS NOT NULL',
    )
    if (sessions.some(({ info }) => statement.test(String(info)))) return
    if (performance.now() > deadline)
      throw new Error(`nothing like ${statement} was seen: ${JSON.stringify(sessions)}`)
    await sleep(10)
  }
}

/** Waits until a table is there of a schema that a restore makes, and returns the session that loads it. */
export async function untilLoading(server: MariadbServer, table: string): Promise<number> {
  const deadline = performance.now() + SEEN_WITHIN_MS
  for (;;) {
    const [found] = await server.sql(
      null,
      `SELECT p.ID AS id FROM information_schema.TABLES t JOIN information_schema.PROCESSLIST p ON p.DB = t.TABLE_SCHEMA
       WHERE t.TABLE_SCHEMA LIKE 'holdfast\\_new\\_%' AND t.TABLE_NAME = ?`,
      [table],
    )
    if (found !== undefined) return Number(found.id)
    if (performance.now() > deadline) throw new Error(`nothing was seen to load the table ${table}`)
    await sleep(10)
  }
}
