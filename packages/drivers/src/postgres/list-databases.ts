import { hasCode } from '@holdfast/core'
import { readOwnName } from '../client-server/own-names.ts'
import { sqlStateOf } from './failure.ts'
import type { PostgresParts } from './postgres-parts.ts'
import type { Session } from './session.ts'
import { openSession } from './session.ts'

const APPLICATION_NAME = 'holdfast'
const WRONG_PASSWORD = '28P01'
/** What such a database has for a connection limit; servers let nobody in. */
const HALF_DROPPED = -2

/**
 * The databases of a server that can be backed up, in the order of their names: those that connections are allowed
 * to, without templates, without what restores and drills have made and without what a DROP DATABASE that was
 * interrupted has left. One that the user may not connect to is among them: its backup fails and says so.
 */
export async function listDatabases(
  parts: Pick<PostgresParts, 'connection'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const session = await openServer(parts, signal)
  try {
    const rows = await session.query<{ name: string }>(
      `SELECT datname::text AS name FROM pg_database
       WHERE datallowconn AND NOT datistemplate AND datconnlimit <> ${HALF_DROPPED} ORDER BY datname COLLATE "C"`,
    )
    return rows.map(({ name }) => name).filter((name) => readOwnName(name) === null)
  } finally {
    await session.close()
  }
}

/** A session in whichever database of the server lets the user in: every one knows of all others. */
export async function openServer(
  { connection }: Pick<PostgresParts, 'connection'>,
  signal: AbortSignal,
): Promise<Session> {
  const open = (database: string) =>
    openSession(connection, { database, applicationName: APPLICATION_NAME, signal })
  for (const database of ['postgres', connection.user]) {
    try {
      return await open(database)
    } catch (error) {
      const isOfDatabase = hasCode(error, 'DATABASE_NOT_FOUND') || hasCode(error, 'DATABASE_ACCESS_DENIED')
      if (!isOfDatabase || sqlStateOf(error) === WRONG_PASSWORD) throw error
    }
  }
  return await open('template1')
}
