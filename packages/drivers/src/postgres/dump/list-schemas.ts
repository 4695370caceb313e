import type { Session } from '../session.ts'

/** A schema that a dump can hold or leave out. */
export interface Schema {
  readonly oid: number
  readonly name: string
  /** An extension has put itself there: it cannot be restored without it. */
  readonly hostsExtension: boolean
}

const SCHEMAS = `
  SELECT n.oid, n.nspname::text AS name,
         EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid) AS "hostsExtension"
  FROM pg_namespace n
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  ORDER BY n.nspname COLLATE "C"`

/** The schemas of users, in the order of their names. */
export async function listSchemas(session: Session): Promise<readonly Schema[]> {
  return await session.query<{ [Field in keyof Schema]: Schema[Field] }>(SCHEMAS)
}
