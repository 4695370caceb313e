import type { Session } from '../session.ts'

/** What the user that restores may do on a server, and what the server itself lets anybody do. */
export interface UserRights {
  readonly name: string
  readonly isSuperuser: boolean
  /** Almost one: what providers give instead. What exactly it may do differs. */
  readonly isProvidersAdmin: boolean
  readonly canCreateDatabases: boolean
  /** Sessions of other ordinary roles. */
  readonly canEndSessions: boolean
  readonly isReadOnly: boolean
}

const RIGHTS = `
  SELECT rolname AS name, rolsuper AS "isSuperuser", rolsuper OR rolcreatedb AS "canCreateDatabases",
         rolsuper OR pg_has_role('pg_signal_backend', 'USAGE') AS "canEndSessions",
         EXISTS (SELECT FROM pg_roles AS admin
                 WHERE admin.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')
                   AND pg_has_role(admin.oid, 'USAGE')) AS "isProvidersAdmin",
         pg_is_in_recovery() AS "isReadOnly"
  FROM pg_roles WHERE rolname = current_user`

/** Of the user of a session. */
export async function rightsOf(session: Session): Promise<UserRights> {
  const [rights] = await session.query<{ readonly [Key in keyof UserRights]: UserRights[Key] }>(RIGHTS)
  if (rights === undefined) throw new Error('the user of a session has no role')
  return rights
}
