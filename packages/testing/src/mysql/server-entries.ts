import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { MysqlClient } from './client.ts'

/** Accounts, roles, privileges on anything but routines, and global variables that nobody but a person changes. */
export async function serverEntries(client: MysqlClient): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const [kind, query] of Object.entries(QUERIES))
    for (const { name, ...facts } of await client.query(query))
      entries.push({ kind, name: String(name), facts: toFacts(facts) })
  return entries
}

const QUERIES = {
  account: `SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) AS name, priv FROM mysql.global_priv`,
  'membership of a role': `
    SELECT CONCAT_WS(' ', QUOTE(user), QUOTE(host), QUOTE(role)) AS name, CAST(admin_option AS CHAR) AS admin
    FROM mysql.roles_mapping`,
  'privileges on a schema': `
    SELECT CONCAT_WS(' ', QUOTE(grantee), QUOTE(table_schema)) AS name,
      GROUP_CONCAT(privilege_type, is_grantable ORDER BY privilege_type) AS privileges
    FROM information_schema.schema_privileges GROUP BY grantee, table_schema`,
  'privileges on a table': `
    SELECT CONCAT_WS(' ', QUOTE(user), QUOTE(host), QUOTE(db), QUOTE(table_name)) AS name,
      CAST(table_priv AS CHAR) AS on_table, CAST(column_priv AS CHAR) AS on_columns
    FROM mysql.tables_priv`,
  variable: `
    SELECT variable_name AS name, variable_value AS value FROM information_schema.global_variables
    WHERE variable_name NOT LIKE 'GTID%' AND variable_name NOT LIKE 'INNODB_BUFFER_POOL_%'`,
}
