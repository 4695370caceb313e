import type { ServerFacts } from '../flavours.ts'
import { quoteName } from '../quote.ts'
import type { ColumnObject, TableObject } from '../schema/schema-objects.ts'

/** What one scan of a table computes. */
export interface RowDigest {
  /** A number for each row, for SUM: equal for equal rows, whatever their order and wherever they lie. */
  readonly expression: string
  /** Columns whose values a dump may change, with an expression that is 1 where it does and 0 or NULL elsewhere. */
  readonly floats: readonly { readonly column: string; readonly changes: string }[]
}

/** Types whose text has no comma in it, and is what a dump holds: of a FLOAT that are six digits. */
const PLAIN_TYPES = new Set([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', 'double'],
  ...['date', 'datetime', 'timestamp', 'time', 'year', 'uuid', 'inet4', 'inet6'],
])

/** Types whose values are numbers that are shown as something else; an ENUM's 0 looks like one of its empty texts. */
const NUMBERED_TYPES = new Set(['bit', 'enum', 'set'])

/** What a restored sequence does not know. */
const CYCLES_DONE = 'cycle_count'

/**
 * How a table's rows are digested: values of all columns that a dump holds, by the columns' names. Which of them are
 * NULL comes first, so that every row has a text of its own; texts and bytes enter as checksums of the bytes that they
 * are stored as, and so do JSON and geometry. With `history`, so do the periods of rows.
 */
export function rowDigest(table: TableObject, server: ServerFacts, history: boolean): RowDigest {
  const columns = table.columns
    .filter(({ isGenerated, isPeriod }) => !isGenerated && (history || !isPeriod))
    .filter(({ name }) => table.kind === 'table' || name !== CYCLES_DONE)
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
  const nulls = columns.filter(({ isNullable }) => isNullable).map(({ name }) => `ISNULL(${quoteName(name)})`)
  const values = columns.map(partOf)
  return {
    // the sum of one CRC could stay when two rows exchange values, since CRCs of texts of one length are linear
    expression: `CRC32(CRC32(CONCAT_WS(',',${[...nulls, ...values].join(',')})))`,
    floats: columns
      .filter(({ dataType }) => dataType === 'float')
      .map(({ name }) => ({ column: name, changes: changes(quoteName(name), server) })),
  }
}

function partOf({ name, dataType, isPeriod }: ColumnObject): string {
  const column = quoteName(name)
  // the end of time depends on the server
  if (isPeriod) return `IF(${column} >= '2038-01-19 03:14:07','now',${column})`
  if (PLAIN_TYPES.has(dataType)) return column
  return NUMBERED_TYPES.has(dataType) ? `CAST(${column} AS UNSIGNED)` : `CRC32(${column})`
}

const FLOAT_CASTS_SINCE = { MariaDB: 100_500, MySQL: 80_017 } as const

/** Whether a FLOAT differs from what its text is read as. Older servers cannot say that: for some it is said too often. */
function changes(column: string, { flavour, version }: ServerFacts): string {
  if (version >= FLOAT_CASTS_SINCE[flavour.name]) return `${column} <> CAST(CONCAT(${column}) AS FLOAT)`
  return `ABS(${column} - CONCAT(${column})) > ABS(${column}) / 33554432`
}
