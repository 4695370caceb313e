import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'

interface Key {
  readonly fromSchema: string
  readonly fromTable: string
  readonly name: string
  readonly toSchema: string
  readonly toTable: string
}

const KEYS = `
  SELECT DISTINCT TABLE_SCHEMA AS fromSchema, TABLE_NAME AS fromTable, CONSTRAINT_NAME AS name,
    REFERENCED_TABLE_SCHEMA AS toSchema, REFERENCED_TABLE_NAME AS toTable
  FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL`

/** More names than that help nobody. */
const MOST_NAMED = 5

/**
 * Foreign keys of other schemas on tables of this one, each in words. They would follow those tables aside. Only those
 * are found that the account may see.
 */
export async function incomingKeys(session: Session, schema: string): Promise<readonly string[]> {
  const rows = await session.query<Key>(
    `${KEYS} AND REFERENCED_TABLE_SCHEMA = ? AND TABLE_SCHEMA <> ? ORDER BY 1, 2, 3`,
    [schema, schema],
  )
  return rows.map(
    ({ fromSchema, fromTable, name, toTable }) => `${name} of ${fromSchema}.${fromTable} on ${toTable}`,
  )
}

/** Throws `code` if other schemas have foreign keys on this one. */
export async function requireNoIncomingKeys(
  session: Session,
  schema: string,
  code: 'RESTORE_NOT_POSSIBLE' | 'UNDO_NOT_POSSIBLE',
): Promise<void> {
  const keys = await incomingKeys(session, schema)
  if (keys.length === 0) return
  const more = keys.length > MOST_NAMED ? `, and ${keys.length - MOST_NAMED} more` : ''
  throw new AppError(
    code,
    `other databases have foreign keys on ${schema}: ${keys.slice(0, MOST_NAMED).join('; ')}${more}`,
    { hint: 'they would follow the tables that are replaced: drop them and add them again afterwards' },
  )
}

/** Tables with foreign keys on tables of other schemas, in words: they are held to them wherever they are. */
export async function outgoingKeys(session: Session, schema: string): Promise<readonly string[]> {
  const rows = await session.query<Key>(
    `${KEYS} AND TABLE_SCHEMA = ? AND REFERENCED_TABLE_SCHEMA <> ? ORDER BY 1, 2, 3`,
    [schema, schema],
  )
  return rows.map(({ fromTable, toSchema, toTable }) => `${fromTable} on ${toSchema}.${toTable}`)
}
