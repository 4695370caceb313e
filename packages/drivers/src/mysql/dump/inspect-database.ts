import type { DatabaseInfo } from '@holdfast/core'
import { versionName } from '../flavours.ts'
import { listDatabases } from '../list-databases.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey } from '../mysql-url.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { someOf } from './describe-names.ts'
import { namesOfViews } from './describe-source.ts'
import { findDefiners } from './find-definers.ts'
import { findInvalidViews } from './invalid-views.ts'
import { requireAllRows } from './require-all-rows.ts'
import { requirePrivileges } from './require-privileges.ts'
import { sourceWarnings } from './source-warnings.ts'
import { unreadablePrograms } from './unreadable-programs.ts'

/** Looks at a database, or at a server as a whole. Rejects like a dump if its account may not see all there is. */
export async function inspectDatabase(parts: MysqlParts, signal: AbortSignal): Promise<DatabaseInfo> {
  const { connection, toolbox } = parts
  const { database } = connection
  const session = await openSession(connection, { schema: database, signal })
  try {
    const tools = await toolbox.toolsFor(session.server)
    const found =
      database === null
        ? await lookAtServer(session, await listDatabases(parts, signal))
        : await lookAtSchema(session, database, connection.briefLock)
    return {
      version: versionName(session.server.version),
      toolVersion: tools.versionText,
      lockKey: mysqlLockKey(connection),
      files: [],
      ...found,
    }
  } finally {
    await session.close()
  }
}

type Found = Pick<DatabaseInfo, 'sizeBytes' | 'details' | 'warnings'>

async function lookAtSchema(session: Session, schema: string, briefLock: boolean): Promise<Found> {
  await requirePrivileges(session, { schema, briefLock })
  await requireAllRows(session)
  const objects = await readSchema(session, schema)
  const definers = await findDefiners(session, objects.programs)
  const invalid = await findInvalidViews(session, schema, namesOfViews(objects.programs))
  const unreadable = unreadablePrograms(objects.programs).map(({ kind, name }) => `${kind} ${name}`)
  return {
    sizeBytes: objects.tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    details: {
      flavour: session.server.flavour.name,
      charset: objects.charset,
      collation: objects.collation,
      tables: objects.tables.length,
    },
    warnings: [
      ...(invalid.length === 0
        ? []
        : [`invalid views, at which a dump fails unless a filter leaves them out: ${someOf(invalid)}`]),
      ...(unreadable.length === 0
        ? []
        : [`programs of which no client can load a dump, so that none is made: ${someOf(unreadable)}`]),
      ...sourceWarnings(session, schema, objects, definers),
      ...(definers.known ? [] : [UNKNOWN_DEFINERS]),
    ],
  }
}

const UNKNOWN_DEFINERS =
  'whether the definers of programs exist is not known: the user may not read mysql.user'

const SIZES = `
  SELECT TABLE_SCHEMA AS name, SUM(DATA_LENGTH + INDEX_LENGTH) AS size
  FROM information_schema.TABLES GROUP BY TABLE_SCHEMA`

/** The size is that of the tables that the user may see: the server does not tell of others. */
async function lookAtServer(session: Session, databases: readonly string[]): Promise<Found> {
  const rows = await session.query<{ name: string; size: string | null }>(SIZES)
  const known = new Set(databases)
  const sizeBytes = rows.reduce((sum, { name, size }) => sum + (known.has(name) ? Number(size ?? 0) : 0), 0)
  const { flavour } = session.server
  return { sizeBytes, details: { flavour: flavour.name, databases: databases.length }, warnings: [] }
}
