import { AppError } from '@holdfast/core'
import { errnoOf } from '../failure.ts'
import { quoteQualified } from '../quote.ts'
import type { Session } from '../session.ts'
import { rawText, whileRaw } from './raw-reading.ts'
import { mentionsSchema } from './requalify.ts'
import type { ColumnObject, SequenceDefault, TableObject } from './schema-objects.ts'

interface TableRow {
  readonly name: string
  readonly type: string
  readonly engine: string | null
  readonly transactional: string | null
  readonly rowFormat: string | null
  readonly collation: string | null
  readonly estimatedRows: string | null
  readonly sizeBytes: string | null
}

interface ColumnRow {
  readonly tableName: string
  readonly name: string
  readonly dataType: string
  readonly columnType: string
  readonly nullable: string
  readonly extra: string
  readonly expression: string | null
  readonly defaultValue: string | null
}

const TABLES = `
  SELECT t.TABLE_NAME AS name, t.TABLE_TYPE AS type, t.ENGINE AS engine, e.TRANSACTIONS AS transactional,
    t.ROW_FORMAT AS rowFormat, t.TABLE_COLLATION AS collation, t.TABLE_ROWS AS estimatedRows,
    t.DATA_LENGTH + t.INDEX_LENGTH AS sizeBytes
  FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
  WHERE t.TABLE_SCHEMA = ? AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')`

const COLUMNS = `
  SELECT TABLE_NAME AS tableName, COLUMN_NAME AS name, DATA_TYPE AS dataType, COLUMN_TYPE AS columnType,
    IS_NULLABLE AS nullable, EXTRA AS extra, GENERATION_EXPRESSION AS expression, COLUMN_DEFAULT AS defaultValue
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION`

/** All tables and sequences of a schema, ordered by name. */
export async function readTables(session: Session, schema: string): Promise<readonly TableObject[]> {
  const rows = await session.query<TableRow>(TABLES, [schema])
  const columns = Map.groupBy(await session.query<ColumnRow>(COLUMNS, [schema]), ({ tableName }) => tableName)
  const tables: TableObject[] = []
  await whileRaw(session, schema, async () => {
    for (const row of rows.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
      const createSql = await definitionOf(session, schema, row)
      tables.push(tableOf(row, columns.get(row.name) ?? [], createSql, schema))
    }
  })
  return tables
}

async function definitionOf(session: Session, schema: string, { name, type }: TableRow): Promise<string> {
  const sql = `SHOW CREATE ${type === 'SEQUENCE' ? 'SEQUENCE' : 'TABLE'} ${quoteQualified(schema, name)}`
  const [row] = await session.query<Record<string, unknown>>(sql).catch((error: unknown) => {
    throw named(name, error)
  })
  const definition = rawText(row?.['Create Table'])
  if (definition !== null) return definition.text
  throw new AppError('DATABASE_ACCESS_DENIED', `the definition of table ${name} may not be read`)
}

/** What the server says of a table that it cannot open need not name it. */
function named(table: string, error: unknown): unknown {
  if (!(error instanceof AppError) || errnoOf(error) === null) return error
  const { code, message, hint, retryable } = error
  return new AppError(code, `could not read the definition of table ${table}: ${message}`, {
    retryable,
    cause: error,
    ...(hint !== null && { hint }),
  })
}

function tableOf(row: TableRow, rows: readonly ColumnRow[], createSql: string, schema: string): TableObject {
  const versioned = row.type === 'SYSTEM VERSIONED'
  const columns = rows.map(columnOf)
  const hidden = versioned && !columns.some(({ isPeriod }) => isPeriod) ? HIDDEN_PERIOD : []
  return {
    name: row.name,
    kind: row.type === 'SEQUENCE' ? 'sequence' : 'table',
    engine: row.engine,
    isTransactional: row.transactional === 'YES',
    versioned,
    rowFormat: row.rowFormat,
    collation: row.collation,
    createSql,
    columns: [...columns, ...hidden],
    sequenceDefaults: rows.flatMap((column) => sequenceDefaultOf(column, schema)),
    estimatedRows: Number(row.estimatedRows ?? 0),
    sizeBytes: Number(row.sizeBytes ?? 0),
  }
}

const PERIOD = /^ROW (START|END)$/i

const HIDDEN_PERIOD: readonly ColumnObject[] = ['row_start', 'row_end'].map((name) => ({
  name,
  dataType: 'timestamp',
  columnType: 'timestamp(6)',
  isNullable: false,
  isGenerated: false,
  isPeriod: true,
}))

function columnOf({ name, dataType, columnType, nullable, extra, expression }: ColumnRow): ColumnObject {
  const isPeriod = PERIOD.test(expression ?? '')
  // MySQL says DEFAULT_GENERATED of a default that is an expression
  const isGenerated = !isPeriod && /\b(VIRTUAL|STORED|PERSISTENT) GENERATED\b/i.test(extra)
  return {
    name,
    dataType: dataType.toLowerCase(),
    columnType,
    isNullable: nullable === 'YES',
    isGenerated,
    isPeriod,
  }
}

function sequenceDefaultOf({ name, defaultValue }: ColumnRow, schema: string): readonly SequenceDefault[] {
  if (defaultValue === null || !/\b(nextval|lastval|setval)\(/i.test(defaultValue)) return []
  // a text that looks like one names nothing
  return mentionsSchema(defaultValue, schema) ? [{ column: name, expression: defaultValue }] : []
}
