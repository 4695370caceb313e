import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { MysqlClient, MysqlRow } from './client.ts'
import { nameless } from './definition-entries.ts'

/** Triggers, routines, packages, events, and who may run routines. */
export async function programEntries(
  client: MysqlClient,
  schema: string,
): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const [kind, query] of Object.entries(QUERIES)) {
    for (const { name, ...facts } of await client.query(query, [schema]))
      entries.push({
        kind: kindOf(kind, facts),
        name: String(name),
        facts: toFacts(nameless(schema, readable(facts))),
      })
  }
  return entries
}

function kindOf(kind: string, { type }: MysqlRow): string {
  return kind === 'routine' ? String(type).toLowerCase() : kind
}

/** Bytes as characters of the same number: equal for equal bytes, and mostly readable. */
function readable(facts: MysqlRow): MysqlRow {
  return Object.fromEntries(
    Object.entries(facts).map(([name, fact]) => [
      name,
      Buffer.isBuffer(fact) ? fact.toString('latin1') : fact,
    ]),
  )
}

const QUERIES = {
  trigger: `
    SELECT trigger_name AS name, event_manipulation, event_object_table, action_order, action_timing,
      action_statement, sql_mode, definer, character_set_client, collation_connection, database_collation
    FROM information_schema.triggers WHERE trigger_schema = ?`,
  routine: `
    SELECT name, CAST(type AS CHAR) AS type, CAST(language AS CHAR) AS language,
      CAST(sql_data_access AS CHAR) AS sql_data_access, CAST(is_deterministic AS CHAR) AS is_deterministic,
      CAST(security_type AS CHAR) AS security_type, param_list, returns, body, body_utf8, definer,
      CAST(sql_mode AS CHAR) AS sql_mode, comment, character_set_client, collation_connection, db_collation,
      CAST(aggregate AS CHAR) AS aggregate
    FROM mysql.proc WHERE db = ?`,
  event: `
    SELECT name, body, body_utf8, definer, execute_at, interval_value, CAST(interval_field AS CHAR) AS interval_field,
      starts, ends, CAST(status AS CHAR) AS status, CAST(on_completion AS CHAR) AS on_completion,
      CAST(sql_mode AS CHAR) AS sql_mode, comment, CAST(time_zone AS CHAR) AS time_zone, character_set_client,
      collation_connection, db_collation
    FROM mysql.event WHERE db = ?`,
  'routine grant': `
    SELECT CONCAT_WS(' ', routine_type, QUOTE(routine_name), QUOTE(user), QUOTE(host)) AS name,
      CAST(proc_priv AS CHAR) AS privileges
    FROM mysql.procs_priv WHERE db = ?`,
}
