import { errnoOf } from '../failure.ts'
import { quoteName } from '../quote.ts'
import type { Session } from '../session.ts'
import type { RoutineGrant } from './schema-objects.ts'

interface Row {
  readonly user: string
  readonly host: string
  readonly kind: string
  readonly name: string
  readonly privileges: string
}

const GRANTS = `
  SELECT User AS user, Host AS host, LOWER(Routine_type) AS kind, LOWER(Routine_name) AS name, Proc_priv AS privileges
  FROM mysql.procs_priv WHERE Db = ? ORDER BY Routine_type, Routine_name, User, Host`

/** ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR */
const DENIED = [1142, 1143, 1044]

/** By kind and name in lower case, as `function f1`; empty if the account may not read them. */
export async function readRoutineGrants(
  session: Session,
  schema: string,
): Promise<ReadonlyMap<string, readonly RoutineGrant[]>> {
  try {
    const rows = await session.query<Row>(GRANTS, [schema])
    const byRoutine = Map.groupBy(rows, ({ kind, name }) => `${kind} ${name}`)
    return new Map([...byRoutine].map(([routine, grants]) => [routine, grants.map(grantOf)]))
  } catch (error) {
    if (DENIED.includes(errnoOf(error) ?? 0)) return new Map()
    throw error
  }
}

function grantOf({ user, host, privileges }: Row): RoutineGrant {
  const all = privileges.split(',').map((privilege) => privilege.trim().toUpperCase())
  return {
    // a role has no host
    account: host === '' ? quoteName(user) : `${quoteName(user)}@${quoteName(host)}`,
    privileges: all.filter((privilege) => privilege !== '' && privilege !== 'GRANT'),
    withGrantOption: all.includes('GRANT'),
  }
}
