import type { Session } from '../session.ts'
import type { Program } from './schema-objects.ts'
import { PROGRAM_KINDS } from './schema-objects.ts'

/** A program without its text. */
export type ListedProgram = Omit<Program, 'createSql' | 'encoding' | 'grants'>

interface Row {
  readonly kind: string
  readonly name: string
  readonly definer: string | null
  readonly sqlMode: string
  readonly charset: string
  readonly collation: string
  readonly databaseCollation: string | null
  readonly timeZone?: string
  readonly createdAt?: string | number | null
  readonly tableName?: string
  readonly slot?: string
}

const CREATION = 'CHARACTER_SET_CLIENT AS charset, COLLATION_CONNECTION AS collation'
const COMMON = `DEFINER AS definer, SQL_MODE AS sqlMode, ${CREATION}, DATABASE_COLLATION AS databaseCollation`

const ROUTINES = `
  SELECT LOWER(ROUTINE_TYPE) AS kind, ROUTINE_NAME AS name, ${COMMON}
  FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? ORDER BY ROUTINE_NAME`

const TRIGGERS = `
  SELECT 'trigger' AS kind, TRIGGER_NAME AS name, ${COMMON}, EVENT_OBJECT_TABLE AS tableName,
    CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION) AS slot
  FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?
  ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`

// views know no sql_mode: what the server prints of them is to be read in none
const VIEWS = `
  SELECT 'view' AS kind, TABLE_NAME AS name, DEFINER AS definer, '' AS sqlMode, ${CREATION}, NULL AS databaseCollation
  FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME`

const EVENTS = `
  SELECT 'event' AS kind, EVENT_NAME AS name, ${COMMON}, TIME_ZONE AS timeZone,
    UNIX_TIMESTAMP(CREATED) AS createdAt
  FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY EVENT_NAME`

/** All programs of a schema that the account may see; triggers of a table in the order in which they run. */
export async function listPrograms(session: Session, schema: string): Promise<readonly ListedProgram[]> {
  const rows: Row[] = []
  for (const list of [ROUTINES, TRIGGERS, VIEWS, EVENTS]) {
    rows.push(...(await session.query<Row>(list, [schema])))
  }
  return rows.map((row, at) => listed(row, rows[at - 1]))
}

function listed(row: Row, before: Row | undefined): ListedProgram {
  const kind = PROGRAM_KINDS.find((known) => known === row.kind)
  if (kind === undefined) throw new Error('the server lists a routine of an unknown kind')
  const follows = kind === 'trigger' && before?.tableName === row.tableName && before?.slot === row.slot
  return {
    kind,
    name: row.name,
    definer: row.definer,
    sqlMode: row.sqlMode,
    charset: row.charset,
    collation: row.collation,
    databaseCollation: row.databaseCollation,
    timeZone: row.timeZone ?? null,
    createdAt:
      row.createdAt === undefined || row.createdAt === null ? null : Math.floor(Number(row.createdAt)),
    table: row.tableName ?? null,
    orderedAfter: follows ? (before?.name ?? null) : null,
  }
}
