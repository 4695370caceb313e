import type { DestinationReport } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { sqlStateOf } from '../failure.ts'
import { displayPostgresUrl, postgresLockKey } from '../postgres-url.ts'
import type { Session } from '../session.ts'
import { clientsOf, preparedTransactions } from './end-clients.ts'
import type { ServerAccess } from './maintenance.ts'
import { openAnywhere, openBriefly, withSession } from './maintenance.ts'

/** A database as every other database of its server shows it. */
export interface DatabaseRow {
  readonly oid: number
  readonly name: string
  readonly owner: string
  /** Whether the user has the rights of its owner. */
  readonly isOwn: boolean
  readonly isTemplate: boolean
  /** Null if the user may not know. */
  readonly sizeBytes: number | null
  readonly encoding: string
}

const DATABASE = `
  SELECT d.oid, d.datname AS name, pg_get_userbyid(d.datdba) AS owner, d.datistemplate AS "isTemplate",
         pg_has_role(d.datdba, 'USAGE') AS "isOwn", pg_encoding_to_char(d.encoding) AS encoding,
         CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
              THEN pg_database_size(d.oid)::float8 END AS "sizeBytes"
  FROM pg_database AS d WHERE d.datname = $1`

/** What initdb makes has smaller oids. Temporary objects and those of the system lie in schemas that begin with pg_. */
const OBJECTS = `
  WITH own AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
  SELECT EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_')
      OR EXISTS (SELECT FROM pg_class WHERE oid >= 16384 AND relnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_type WHERE oid >= 16384 AND typnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384 AND pronamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_operator WHERE oid >= 16384 AND oprnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_collation WHERE oid >= 16384 AND collnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_conversion WHERE oid >= 16384 AND connamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_ts_config WHERE oid >= 16384 AND cfgnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_ts_dict WHERE oid >= 16384 AND dictnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_ts_parser WHERE oid >= 16384 AND prsnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_ts_template WHERE oid >= 16384 AND tmplnamespace IN (SELECT oid FROM own))
      OR EXISTS (SELECT FROM pg_cast WHERE oid >= 16384)
      OR EXISTS (SELECT FROM pg_language WHERE oid >= 16384)
      OR EXISTS (SELECT FROM pg_default_acl)
      OR EXISTS (SELECT FROM pg_extension WHERE oid >= 16384 AND extname <> 'plpgsql')
      OR EXISTS (SELECT FROM pg_event_trigger WHERE oid >= 16384)
      OR EXISTS (SELECT FROM pg_publication)
      OR EXISTS (SELECT FROM pg_foreign_data_wrapper WHERE oid >= 16384)
      OR EXISTS (SELECT FROM pg_largeobject_metadata)
      OR EXISTS (SELECT FROM pg_subscription WHERE subdbid =
           (SELECT oid FROM pg_database WHERE datname = current_database())) AS found`

/** The database of that name; null if there is none. */
export async function findDatabase(session: Session, name: string): Promise<DatabaseRow | null> {
  const [row] = await session.query<{ readonly [Key in keyof DatabaseRow]: DatabaseRow[Key] }>(DATABASE, [
    name,
  ])
  return row ?? null
}

/** True if there is anything that a restore would replace, or that would be in its way. */
export async function hasUserObjects(session: Session): Promise<boolean> {
  const [row] = await session.query<{ readonly found: boolean }>(OBJECTS)
  return row?.found ?? true
}

/** The same of a database to which there is no session yet; one that cannot be looked into counts as full. */
export async function isOccupied(access: ServerAccess, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await withSession(openBriefly(access, name, signal), hasUserObjects)
  } catch (error) {
    if (isShut(error)) return true
    throw error
  }
}

/** The server lets nobody in, and asking again would not help: it may be damaged, which is what restores are for. */
function isShut(error: unknown): boolean {
  return error instanceof AppError && !error.retryable && sqlStateOf(error) !== null
}

/** Looks at the destination from outside and from within. Changes nothing. */
export async function inspectDestination(
  access: ServerAccess,
  signal: AbortSignal,
): Promise<DestinationReport> {
  const { destination, connection } = access
  const common = { lockKey: postgresLockKey(connection), location: locationOf(access, destination) }
  return withSession(openAnywhere(access, signal), async (session) => {
    const database = await findDatabase(session, destination)
    if (database === null) return { ...common, exists: false, occupied: false, sizeBytes: 0, warnings: [] }
    const warnings = await warningsOf(session, database)
    const occupied = await isOccupied(access, destination, signal)
    return { ...common, exists: true, occupied, sizeBytes: database.sizeBytes ?? 0, warnings }
  })
}

/** Where a database of the server is, without a user and without secrets. */
export function locationOf({ connection }: ServerAccess, database: string): string {
  const { user } = connection
  return displayPostgresUrl({ ...connection, database, sslMode: 'prefer' }).replace(
    `${encodeURIComponent(user)}@`,
    '',
  )
}

async function warningsOf(session: Session, { oid, name }: DatabaseRow): Promise<readonly string[]> {
  const clients = await clientsOf(session, [oid])
  const prepared = await preparedTransactions(session, [oid])
  const applications = [...new Set(clients.map((client) => client.application))].slice(0, 5).join(', ')
  const subscriptions = await namesOf(
    session,
    'SELECT subname AS name FROM pg_subscription WHERE subdbid = $1',
    oid,
  )
  const slots = await namesOf(
    session,
    'SELECT slot_name AS name FROM pg_replication_slots WHERE datoid = $1',
    oid,
  )
  return [
    ...(clients.length === 0
      ? []
      : [`${clients.length} sessions are connected to ${name} and will be ended (${applications})`]),
    ...(prepared.length === 0
      ? []
      : [
          `prepared transactions in ${name} will stop the swap until they are finished: ${prepared.join(', ')}`,
        ]),
    ...(subscriptions.length === 0
      ? []
      : [
          `subscriptions stay with the database that is replaced and go on there: ${subscriptions.join(', ')}`,
        ]),
    ...(slots.length === 0
      ? []
      : [
          `replication slots stay with the database that is replaced and hold back its WAL: ${slots.join(', ')}`,
        ]),
  ]
}

async function namesOf(session: Session, sql: string, oid: number): Promise<readonly string[]> {
  const rows = await session.query<{ readonly name: string }>(sql, [oid])
  return rows.map((row) => row.name)
}
