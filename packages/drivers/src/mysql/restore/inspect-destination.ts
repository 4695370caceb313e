import type { DestinationReport } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey } from '../mysql-url.ts'
import type { Session } from '../session.ts'
import { destinationOf, locationOf, withSession } from './server-access.ts'

/** A schema as its server shows it. */
export interface SchemaRow {
  /** As the server keeps it, which may be in lower case. */
  readonly name: string
  readonly tables: number
  readonly routines: number
  readonly events: number
  readonly sizeBytes: number
}

/** Servers that know no case keep names in lower case, or compare them without it. */
const NAMED = `
  SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA
  WHERE CASE WHEN @@lower_case_table_names = 0 THEN CAST(SCHEMA_NAME AS BINARY) = CAST(? AS BINARY)
        ELSE LOWER(SCHEMA_NAME) = LOWER(?) END`

const isIn = (column: string) => `${column} = ? AND CAST(${column} AS BINARY) = CAST(? AS BINARY)`

/** With the name as a constant: a server opens the tables of that schema alone. */
const CONTENT = `
  SELECT COUNT(*) AS tables, COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS sizeBytes,
    (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ${isIn('ROUTINE_SCHEMA')}) AS routines,
    (SELECT COUNT(*) FROM information_schema.EVENTS WHERE ${isIn('EVENT_SCHEMA')}) AS events
  FROM information_schema.TABLES WHERE ${isIn('TABLE_SCHEMA')}`

/** The schema of that name; null if there is none that the user may see. */
export async function findSchema(session: Session, name: string): Promise<SchemaRow | null> {
  const [found] = await session.query<{ readonly name: string }>(NAMED, [name, name])
  if (found === undefined) return null
  const names = Array.from({ length: 6 }, () => found.name)
  const [row] = await session.query<Readonly<Record<keyof SchemaRow, string | number>>>(CONTENT, names)
  const count = (column: keyof SchemaRow) => Number(row?.[column] ?? 0)
  return {
    name: found.name,
    ...{ tables: count('tables'), routines: count('routines'), events: count('events') },
    sizeBytes: count('sizeBytes'),
  }
}

/** True if a restore would replace something. */
export function isOccupied({ tables, routines, events }: SchemaRow): boolean {
  return tables + routines + events > 0
}

/** Looks at the destination, which may be a name that is still free. Changes nothing. */
export async function inspectDestination(
  { connection }: MysqlParts,
  signal: AbortSignal,
): Promise<DestinationReport> {
  const destination = destinationOf(connection)
  const common = { lockKey: mysqlLockKey(connection), location: locationOf(connection, destination) }
  return withSession(connection, null, signal, async (session) => {
    const schema = await findSchema(session, destination)
    if (schema === null) return { ...common, exists: false, occupied: false, sizeBytes: 0, warnings: [] }
    const { sizeBytes } = schema
    const warnings = await warningsOf(session, schema.name)
    return { ...common, exists: true, occupied: isOccupied(schema), sizeBytes, warnings }
  })
}

/** Sessions stay connected through a restore, and find the new tables in the place of the old ones. */
async function warningsOf(session: Session, schema: string): Promise<readonly string[]> {
  const rows = await session.query<{ readonly user: string; readonly number: string }>(
    `SELECT user, COUNT(*) AS number FROM information_schema.PROCESSLIST
     WHERE CAST(db AS BINARY) = CAST(? AS BINARY) GROUP BY user ORDER BY user`,
    [schema],
  )
  if (rows.length === 0) return []
  const number = rows.reduce((sum, row) => sum + Number(row.number), 0)
  const users = rows.slice(0, 5).map(({ user }) => user)
  return [
    `${number} sessions use ${schema} (${users.join(', ')}): a transaction that is open when the tables change places makes the restore wait, and fail after lock_timeout`,
  ]
}
