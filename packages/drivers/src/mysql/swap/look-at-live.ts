import { AppError } from '@holdfast/core'
import { readSchema } from '../schema/read-schema.ts'
import type { SchemaObjects } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { requireNoIncomingKeys } from './incoming-keys.ts'
import { JOURNAL } from './journal-table.ts'
import { schemaExists } from './own-schema.ts'

/** What an exchange finds in the live schema. */
interface Live {
  /** Null if there is no such schema. */
  readonly departing: SchemaObjects | null
  /** Views that the server cannot open. */
  readonly invalidViews: readonly string[]
}

/** Looks at what is to be moved aside. Rejects with `code`, naming what makes that impossible. */
export async function lookAtLive(
  session: Session,
  live: string,
  code: 'RESTORE_NOT_POSSIBLE' | 'UNDO_NOT_POSSIBLE',
): Promise<Live> {
  if (!(await schemaExists(session, live))) return { departing: null, invalidViews: [] }
  await requireNoIncomingKeys(session, live, code)
  const departing = await readSchema(session, live)
  const names = departing.tables.map(({ name }) => name)
  if (names.includes(JOURNAL)) {
    throw new AppError(code, `a table of ${live} is called ${JOURNAL}, as Holdfast calls its own`, {
      hint: 'rename it: what is replaced is kept in a schema that has one',
    })
  }
  return { departing, invalidViews: await invalidViewsOf(session, live) }
}

/** The server says in their comment why it cannot open them, if it has to: who asks for no rows gets none of that. */
async function invalidViewsOf(session: Session, schema: string): Promise<readonly string[]> {
  const rows = await session.query<{ readonly name: string }>(
    `SELECT TABLE_NAME AS name, TABLE_ROWS AS \`rows\` FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'VIEW' AND TABLE_COMMENT <> 'VIEW'`,
    [schema],
  )
  return rows.map(({ name }) => name)
}
