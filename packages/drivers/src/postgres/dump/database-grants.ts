import { quoted } from '../contents/table-names.ts'
import type { Session } from '../session.ts'
import type { DatabaseFacts } from './database-facts.ts'

const DATABASE = 'DATABASE :"database"'

interface Grant {
  readonly grantor: string
  /** Null: everybody. */
  readonly grantee: string | null
  readonly privileges: readonly string[]
  readonly grantable: boolean
}

/** One who grants on comes after the one who let them: the owner's own grants go first. */
const GRANTS = `
  SELECT pg_get_userbyid(a.grantor)::text AS grantor,
         CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee)::text END AS grantee,
         array_agg(a.privilege_type ORDER BY a.privilege_type) AS privileges, a.is_grantable AS grantable
  FROM pg_database d, aclexplode(d.datacl) AS a
  WHERE d.oid = $1
  GROUP BY d.datdba, a.grantor, a.grantee, a.is_grantable
  ORDER BY a.grantor <> d.datdba, a.grantee <> d.datdba, NOT a.is_grantable, 1, 2`

const IS_GRANTED = 'SELECT datacl IS NOT NULL AS granted FROM pg_database WHERE oid = $1'

/** Statements that make the privileges on a new database those of the source; none if nobody ever changed them. */
export async function readDatabaseGrants(
  session: Session,
  { oid, owner }: DatabaseFacts,
): Promise<readonly string[]> {
  const [row] = await session.query<{ granted: boolean }>(IS_GRANTED, [oid])
  if (row?.granted !== true) return []
  const grants = await session.query<{ [Field in keyof Grant]: Grant[Field] }>(GRANTS, [oid])
  return [
    // what everybody and the owner have by default
    `REVOKE ALL ON ${DATABASE} FROM PUBLIC;`,
    `REVOKE ALL ON ${DATABASE} FROM ${quoted(owner)};`,
    ...grants.flatMap((grant) => statementsOf(grant, owner)),
  ]
}

function statementsOf({ grantor, grantee, privileges, grantable }: Grant, owner: string): readonly string[] {
  const to = grantee === null ? 'PUBLIC' : quoted(grantee)
  const grant = `GRANT ${privileges.join(', ')} ON ${DATABASE} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''};`
  return grantor === owner ? [grant] : [`SET ROLE ${quoted(grantor)};`, grant, 'RESET ROLE;']
}
