import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'
import { readPrograms } from './read-programs.ts'
import { readTables } from './read-tables.ts'
import type { SchemaObjects } from './schema-objects.ts'

interface SchemaRow {
  readonly charset: string
  readonly collation: string
  readonly comment: string
}

/**
 * Reads everything that a schema holds beside its rows, as the session sees it. Rejects with DATABASE_NOT_FOUND, and
 * with DATABASE_ACCESS_DENIED where a definition is hidden from the account: what it may see at all is never left out.
 * The session's current schema is this one afterwards if it had none.
 */
export async function readSchema(session: Session, schema: string): Promise<SchemaObjects> {
  const hasComments = session.server.flavour.name === 'MariaDB'
  const [found] = await session.query<SchemaRow>(
    `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation,
       ${hasComments ? 'SCHEMA_COMMENT' : "''"} AS comment
     FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
    [schema],
  )
  if (found === undefined) {
    throw new AppError('DATABASE_NOT_FOUND', 'the server has no such schema, or hides it from the account')
  }
  const { charset, collation, comment } = found
  return {
    charset,
    collation,
    comment,
    tables: await readTables(session, schema),
    programs: await readPrograms(session, schema),
  }
}
