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
  SELECT User AS user, Host AS host, LOWER(Routine_type) AS kind, Routine_name AS name, Proc_priv AS privileges
  FROM mysql.procs_priv WHERE Db IN (?, ?) ORDER BY Routine_type, Routine_name, User, Host`

/** ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR */
const DENIED = [1142, 1143, 1044]

/** By kind and name in lower case, as `function f1`; empty if the account may not read them. */
export async function readRoutineGrants(
  session: Session,
  schema: string,
): Promise<ReadonlyMap<string, readonly RoutineGrant[]>> {
  try {
    const rows = await session.query<Row>(GRANTS, [schema, mangled(schema)])
    const byRoutine = Map.groupBy(rows, ({ kind, name }) => `${kind} ${unmangled(name).toLowerCase()}`)
    return new Map([...byRoutine].map(([routine, grants]) => [routine, grants.map(grantOf)]))
  } catch (error) {
    if (DENIED.includes(errnoOf(error) ?? 0)) return new Map()
    throw error
  }
}

// servers store names in this table as if their UTF-8 were latin1
const LATIN1 = new TextDecoder('windows-1252')
const BYTES = new Map(Array.from({ length: 256 }, (_, byte) => [LATIN1.decode(Uint8Array.of(byte)), byte]))

function mangled(name: string): string {
  return LATIN1.decode(Buffer.from(name, 'utf8'))
}

/** The name that was mangled; the same if it was not. */
function unmangled(name: string): string {
  const bytes = Array.from(name, (character) => BYTES.get(character) ?? -1)
  if (bytes.includes(-1)) return name
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    return name
  }
}

function grantOf(row: Row): RoutineGrant {
  const [user, host, privileges] = [unmangled(row.user), unmangled(row.host), row.privileges]
  const all = privileges.split(',').map((privilege) => privilege.trim().toUpperCase())
  return {
    // a role has no host
    account: host === '' ? quoteName(user) : `${quoteName(user)}@${quoteName(host)}`,
    privileges: all.filter((privilege) => privilege !== '' && privilege !== 'GRANT'),
    withGrantOption: all.includes('GRANT'),
  }
}
