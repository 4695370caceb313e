import type { DatabaseInfo } from '@holdfast/core'
import { versionText } from '../client-tools.ts'
import { openServer } from '../list-databases.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { postgresLockKey } from '../postgres-url.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { detailsOf, readDatabaseFacts } from './database-facts.ts'
import { sourceWarnings } from './source-warnings.ts'

const APPLICATION_NAME = 'holdfast'

/** Looks at a database, or at a server as a whole. */
export async function inspectDatabase(parts: PostgresParts, signal: AbortSignal): Promise<DatabaseInfo> {
  const { connection, toolbox } = parts
  const { database } = connection
  const session =
    database === null
      ? await openServer(parts, signal)
      : await openSession(connection, { database, applicationName: APPLICATION_NAME, signal })
  try {
    const tools = await toolbox.toolsFor(session.serverVersion)
    const found = database === null ? await lookAtServer(session) : await lookAtDatabase(session)
    return {
      version: versionText(session.serverVersion),
      toolVersion: tools.versionText,
      lockKey: postgresLockKey(connection),
      files: [],
      ...found,
    }
  } finally {
    await session.close()
  }
}

type Found = Pick<DatabaseInfo, 'sizeBytes' | 'details' | 'warnings'>

async function lookAtDatabase(session: Session): Promise<Found> {
  const facts = await readDatabaseFacts(session)
  const { sizeBytes } = facts
  return { sizeBytes, details: detailsOf(facts), warnings: await sourceWarnings(session, facts) }
}

/** The size is that of the databases that the user may connect to: the server does not tell others. */
async function lookAtServer(session: Session): Promise<Found> {
  const [row] = await session.query<{ databases: number; size: string; standby: boolean }>(`
    SELECT count(*)::int AS databases, coalesce(sum(pg_database_size(oid)), 0)::text AS size,
           pg_is_in_recovery() AS standby
    FROM pg_database WHERE datallowconn AND has_database_privilege(oid, 'CONNECT')`)
  const details = { databases: row?.databases ?? 0, isStandby: row?.standby ?? false }
  return { sizeBytes: Number(row?.size ?? 0), details, warnings: [] }
}
