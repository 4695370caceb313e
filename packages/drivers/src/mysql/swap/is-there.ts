import type { Program } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { isRoutine } from './compare-programs.ts'

/** Where a program is looked for; `table` is where a trigger's table is now. */
export interface Sought extends Pick<Program, 'kind' | 'name'> {
  readonly schema: string
  readonly table: string
}

/** True if a schema has a program of that kind and name. Waits for none of the locks that clients hold. */
export async function isThere(session: Session, sought: Sought): Promise<boolean> {
  const { schema, kind, name, table } = sought
  const [sql, key] = isRoutine({ kind })
    ? [`${ROUTINES} AND ROUTINE_TYPE = '${kind.toUpperCase()}'`, name]
    : kind === 'trigger'
      ? [TRIGGERS, table]
      : [kind === 'event' ? EVENTS : VIEWS, name]
  const found = await session.query<{ readonly name: string }>(sql, [schema, key])
  // triggers are asked for by their table; of the others there is one with names that the server takes for the same
  return kind === 'trigger' ? found.some((row) => row.name === name) : found.length > 0
}

const ROUTINES =
  'SELECT ROUTINE_NAME AS name FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_NAME = ?'
const TRIGGERS = `
  SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS
  WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?`
const EVENTS =
  'SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? AND EVENT_NAME = ?'
const VIEWS = `
  SELECT TABLE_NAME AS name FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND TABLE_TYPE = 'VIEW'`
