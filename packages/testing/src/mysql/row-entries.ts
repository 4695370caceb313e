import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { MysqlClient } from './client.ts'
import { mysqlName } from './client.ts'

/** As many rows of a table are shown one by one, so that a difference can be read. */
const SHOWN_ROWS = 30
/** Of a longer value a hash is shown. */
const SHOWN_BYTES = 300

/** The rows of all tables, byte by byte, former versions of rows included. */
export async function rowEntries(client: MysqlClient, schema: string): Promise<readonly FingerprintEntry[]> {
  const tables = await client.query(TABLES, [schema])
  const columns = await client.query(COLUMNS, [schema])
  const entries: FingerprintEntry[] = []
  for (const { name, versioned } of tables) {
    const own = columns.filter((column) => column.table === name)
    const values = own.map((column) => inHex(String(column.name), String(column.type)))
    const isVersioned = versioned === 'SYSTEM VERSIONED'
    const hasPeriod = own.some(({ expression }) => expression === 'ROW START')
    // where they are no columns of their own, these words name them
    const period = isVersioned && !hasPeriod ? ['ROW_START', 'ROW_END'].map((word) => hex(word)) : []
    const from = `${mysqlName(schema)}.${mysqlName(String(name))} ${isVersioned ? 'FOR SYSTEM_TIME ALL' : ''}`
    entries.push(await entryOf(client, String(name), [...values, ...period], from))
  }
  return entries
}

const TABLES = `
  SELECT table_name AS name, table_type AS versioned FROM information_schema.tables
  WHERE table_schema = ? AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')`

const COLUMNS = `
  SELECT table_name AS \`table\`, column_name AS name, data_type AS type,
    generation_expression AS expression FROM information_schema.columns
  WHERE table_schema = ? ORDER BY table_name, ordinal_position`

function inHex(column: string, type: string): string {
  const name = mysqlName(column)
  // as text it has six digits, which is what dumps lose
  if (type === 'float') return hex(`CAST(${name} AS DOUBLE)`)
  // an empty text may be a member, or stand for an error
  if (type === 'enum') return `CONCAT_WS(':', ${name} + 0, ${hex(name)})`
  return hex(name)
}

function hex(value: string): string {
  const bytes = `CAST(${value} AS BINARY)`
  const hash = `CONCAT(LENGTH(${bytes}), '#', SHA2(${bytes}, 256))`
  return `COALESCE(IF(LENGTH(${bytes}) > ${SHOWN_BYTES}, ${hash}, HEX(${bytes})), 'NULL')`
}

async function entryOf(
  client: MysqlClient,
  name: string,
  values: readonly string[],
  from: string,
): Promise<FingerprintEntry> {
  const rows = `SELECT CONCAT_WS(' ', ${values.join(', ')}) AS r FROM ${from}`
  const half = (at: number) => `SUM(CAST(CONV(SUBSTR(SHA1(r), ${at}, 15), 16, 10) AS DECIMAL(30)))`
  const summed = `SELECT COUNT(*) AS count, ${half(1)} AS one, ${half(16)} AS other FROM (${rows}) x`
  const [sums = {}] = await client.query(summed)
  const shown = Number(sums.count) > SHOWN_ROWS ? [] : await client.query(rows)
  const list = shown.map(({ r }) => String(r)).toSorted()
  const facts = { ...sums, ...Object.fromEntries(list.map((row, index) => [`row ${index + 1}`, row])) }
  return { kind: 'rows', name, facts: toFacts(facts) }
}
