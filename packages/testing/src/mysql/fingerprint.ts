import { toLines } from '../fingerprint.ts'
import { mysqlSchemaOf, withMysqlClient } from './client.ts'
import { definitionEntries } from './definition-entries.ts'
import { programEntries } from './program-entries.ts'
import { rowEntries } from './row-entries.ts'
import { serverEntries } from './server-entries.ts'

/**
 * Everything in a schema of MariaDB, as sorted lines made from its definitions and its rows: equal for equal schemas,
 * whatever their names and the order of their rows. One line `absent` if there is none. Needs an administrator.
 */
export async function mysqlFingerprintOf(url: string): Promise<readonly string[]> {
  const schema = mysqlSchemaOf(url)
  const server = new URL(url)
  server.pathname = '/'
  return await withMysqlClient(server.href, async (client) => {
    const found = await client.query('SELECT 1 FROM information_schema.schemata WHERE schema_name = ?', [
      schema,
    ])
    if (found.length === 0) return ['absent']
    await client.query(`SET time_zone = '+00:00', sql_mode = '', max_statement_time = 0`)
    return toLines([
      ...(await definitionEntries(client, schema)),
      ...(await programEntries(client, schema)),
      ...(await rowEntries(client, schema)),
    ])
  })
}

/** The same for what all schemas of a server share: accounts, roles, what they may do, and global variables. */
export async function mysqlServerFingerprintOf(url: string): Promise<readonly string[]> {
  return await withMysqlClient(url, async (client) => toLines(await serverEntries(client)))
}
