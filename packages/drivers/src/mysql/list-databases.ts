import type { MysqlParts } from './mysql-parts.ts'
import { isOwnName } from './own-names.ts'
import { openSession } from './session.ts'

/** What servers keep for themselves. */
const OF_SERVER = ['information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo']
/** What a server makes of a directory whose name it cannot read; nobody can use it as a database. */
const UNREADABLE = '#mysql50#'

/**
 * The databases of a server that can be backed up, in the order of their names: those that the user may see, without
 * the server's own and without what restores and drills have made.
 */
export async function listDatabases(
  { connection }: Pick<MysqlParts, 'connection'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const session = await openSession(connection, { schema: null, signal })
  try {
    const rows = await session.query<{ name: string }>(
      'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA',
    )
    const names = rows.map(({ name }) => name)
    return names.filter(isUsers).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  } finally {
    await session.close()
  }
}

function isUsers(name: string): boolean {
  return !OF_SERVER.includes(name) && !isOwnName(name) && !name.startsWith(UNREADABLE)
}
