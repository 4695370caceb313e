import { AppError } from '@holdfast/core'
import type { ServerFacts } from '../flavours.ts'
import type { Session } from '../session.ts'
import type { OwnGrants } from './own-grants.ts'
import { readOwnGrants } from './own-grants.ts'

/** Without one of these the account does not see all there is, and a dump would lack it without an error. */
const TO_SEE_ALL = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'] as const
/** Whoever has one of them on a schema sees which routines it has. */
const TO_LIST_ROUTINES = ['EXECUTE', 'ALTER ROUTINE', 'CREATE ROUTINE'] as const
const MOST_NAMED = 5

/** What a backup is to do with a schema. */
export interface Wanted {
  readonly schema: string
  readonly briefLock: boolean
}

/**
 * Rejects with DATABASE_ACCESS_DENIED, naming what is missing, unless the account may see all of the schema, routines
 * with their bodies included, and do what a brief lock needs.
 */
export async function requirePrivileges(session: Session, { schema, briefLock }: Wanted): Promise<void> {
  const grants = await readOwnGrants(session, schema)
  const missing: string[] = TO_SEE_ALL.filter((privilege) => !grants.allows(privilege))
  if (briefLock && !mayLock(grants, session.server)) missing.push('RELOAD (global, for brief_lock=on)')
  if (missing.length > 0)
    throw denied(`the user of MySQL lacks ${missing.join(', ')} on the database`, missing)
  await requireRoutines(session, schema, grants)
}

function mayLock(grants: OwnGrants, { flavour, version }: ServerFacts): boolean {
  if (grants.allowsEverywhere('RELOAD')) return true
  return flavour.name === 'MySQL' && version >= 80_023 && grants.allowsEverywhere('FLUSH_TABLES')
}

const HIDDEN = `
  SELECT routine_name AS name FROM information_schema.routines
  WHERE routine_schema = ? AND routine_definition IS NULL AND routine_body = 'SQL'
  ORDER BY routine_name`

/** Bodies of routines are seen by those who made them, and by who has the privilege that shows them all. */
async function requireRoutines(session: Session, schema: string, grants: OwnGrants): Promise<void> {
  const { server } = session
  if (showsRoutines(server, grants) || (await readsProc(session))) return
  const what = privilegeForRoutines(server)
  if (!TO_LIST_ROUTINES.some((privilege) => grants.allows(privilege))) {
    throw denied(`the user of MySQL may not see the routines of the database: it lacks ${what}`, [what])
  }
  const hidden = await session.query<{ name: string }>(HIDDEN, [schema])
  if (hidden.length === 0) return
  const names = hidden.slice(0, MOST_NAMED).map(({ name }) => name)
  const more = hidden.length - names.length
  const shown = `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  throw denied(`the user of MySQL may not see the bodies of routines (${shown}): it lacks ${what}`, [what])
}

function showsRoutines({ flavour, version }: ServerFacts, grants: OwnGrants): boolean {
  if (grants.allowsEverywhere('SELECT')) return true
  if (flavour.name === 'MySQL') return version >= 80_020 && grants.allowsEverywhere('SHOW_ROUTINE')
  return version >= 110_300 && grants.allows('SHOW CREATE ROUTINE')
}

function privilegeForRoutines({ flavour, version }: ServerFacts): string {
  if (flavour.name === 'MySQL' && version >= 80_020) return 'SHOW_ROUTINE (global)'
  if (flavour.name === 'MySQL' && version >= 80_000) return 'SELECT (global)'
  return version >= 110_300 && flavour.name === 'MariaDB' ? 'SHOW CREATE ROUTINE' : 'SELECT on mysql.proc'
}

/** MariaDB, and MySQL before 8.0, keep routines in a table that one may be allowed to read. */
async function readsProc(session: Session): Promise<boolean> {
  const { flavour, version } = session.server
  if (flavour.name === 'MySQL' && version >= 80_000) return false
  try {
    await session.query('SELECT name, body FROM mysql.proc LIMIT 0')
    return true
  } catch (error) {
    if (error instanceof AppError && error.code === 'DATABASE_ACCESS_DENIED') return false
    throw error
  }
}

function denied(message: string, missing: readonly string[]): AppError {
  return new AppError('DATABASE_ACCESS_DENIED', message, {
    hint: `grant ${missing.join(', ')} to it: without, parts of the database would be missing from a backup, silently`,
  })
}
