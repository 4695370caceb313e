import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { MysqlClient, MysqlRow } from './client.ts'
import { mysqlName } from './client.ts'

/** The schema itself, its tables, sequences and views. */
export async function definitionEntries(
  client: MysqlClient,
  schema: string,
): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const properties of await client.query(SCHEMA, [schema]))
    entries.push({ kind: 'schema', name: '', facts: toFacts(properties) })
  for (const { name, type, ...facts } of await client.query(TABLES, [schema])) {
    const kind = type === 'VIEW' ? 'view' : type === 'SEQUENCE' ? 'sequence' : 'table'
    const at = `${mysqlName(schema)}.${mysqlName(String(name))}`
    const [created] = await client.query(`SHOW CREATE ${kind === 'view' ? 'VIEW' : 'TABLE'} ${at}`)
    const parts = kind === 'view' ? await client.query(VIEW, [schema, name]) : []
    const state = kind === 'sequence' ? await client.query(`SELECT * FROM ${at}`) : []
    entries.push({
      kind,
      name: String(name),
      facts: toFacts(nameless(schema, { ...facts, ...definitionIn(created), ...parts[0], ...state[0] })),
    })
  }
  return entries
}

/** Facts in which the schema has no name of its own, so that they are equal under another one. */
export function nameless(schema: string, facts: MysqlRow): MysqlRow {
  const quoted = `${mysqlName(schema)}.`
  return Object.fromEntries(
    Object.entries(facts).map(([name, fact]) => [
      name,
      typeof fact === 'string' ? fact.replaceAll(quoted, '<schema>.') : fact,
    ]),
  )
}

const SCHEMA = `
  SELECT default_character_set_name AS charset, default_collation_name AS collation, schema_comment AS comment
  FROM information_schema.schemata WHERE schema_name = ?`

const TABLES = `
  SELECT table_name AS name, table_type AS type, engine, row_format, table_collation, create_options, table_comment,
    auto_increment
  FROM information_schema.tables WHERE table_schema = ?`

const VIEW = `
  SELECT check_option, definer, security_type, algorithm, character_set_client, collation_connection
  FROM information_schema.views WHERE table_schema = ? AND table_name = ?`

/** What the server says of how to make it; its own name is no part of the columns that it answers in. */
function definitionIn(row: MysqlRow | undefined): MysqlRow {
  const definition = Object.entries(row ?? {}).find(([column]) => column.startsWith('Create '))
  return { definition: definition?.[1] ?? null }
}
