import type { Session } from '../session.ts'
import { JOURNAL } from './journal-table.ts'

/** So many are as good as all to know a schema by. */
const MOST = 100

/** What it is called on MySQL from 8.0 on, and everywhere else. */
const VIEWS = ['INNODB_TABLES', 'INNODB_SYS_TABLES'] as const

/**
 * The ids of a schema's tables, which renaming leaves as they are; of the first hundred. Null if the account may not
 * know (it takes PROCESS), or if none of its tables has one.
 */
export async function tableIdsOf(session: Session, schema: string): Promise<readonly string[] | null> {
  const rows = await find(session, schema)
  if (rows === null) return null
  const own = await session.query<{ readonly tables: string }>(
    `SELECT COUNT(*) AS tables FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME <> ? AND TABLE_TYPE <> 'VIEW'`,
    [schema, JOURNAL],
  )
  if (rows.length === 0 && own[0]?.tables !== '0') return null
  return rows
}

/** True if any of these tables is in the schema now; of no tables, if it has none. False if nobody can tell. */
export async function holdsTables(
  session: Session,
  schema: string,
  ids: readonly string[] | null,
): Promise<boolean> {
  if (ids === null) return false
  const found = await tableIdsOf(session, schema)
  if (found === null) return false
  return ids.length === 0 ? found.length === 0 : ((await find(session, schema, ids))?.length ?? 0) > 0
}

async function find(
  session: Session,
  schema: string,
  ids: readonly string[] | null = null,
): Promise<readonly string[] | null> {
  const view =
    session.server.flavour.name === 'MySQL' && session.server.version >= 80_000 ? VIEWS[0] : VIEWS[1]
  const among = ids === null ? '' : ` AND TABLE_ID IN (${ids.map(() => '?').join(', ')})`
  // names there are as names of files: what is no letter or digit of ASCII is written in hexadecimal
  const sql = `SELECT CAST(TABLE_ID AS CHAR) AS id FROM information_schema.${view}
    WHERE CAST(SUBSTRING_INDEX(NAME, '/', 1) AS BINARY) = CAST(CONVERT(? USING filename) AS BINARY)
      AND CAST(SUBSTRING_INDEX(NAME, '/', -1) AS BINARY) <> CAST(CONVERT(? USING filename) AS BINARY)${among}
    ORDER BY TABLE_ID LIMIT ${MOST}`
  try {
    const rows = await session.query<{ readonly id: string }>(sql, [schema, JOURNAL, ...(ids ?? [])])
    return rows.map(({ id }) => id)
  } catch {
    // without the privilege, and on servers that have no such view: one can do without
    return session.lost.aborted ? Promise.reject(session.lost.reason) : null
  }
}
