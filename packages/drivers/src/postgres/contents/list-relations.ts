import type { Session } from '../session.ts'

/** Tables, partitioned tables, views, materialised views, foreign tables, sequences. */
export type RelationKind = 'r' | 'p' | 'v' | 'm' | 'f' | 'S'

/** Something in a user's schema that a dump can hold or leave out, as the snapshot of a session shows it. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: RelationKind
  /** Of a partition: the table of which it is one. */
  readonly parent: number | null
  /** Of a sequence: the table whose column it belongs to. */
  readonly owner: number | null
  /** False for a materialised view that holds no rows because it never was refreshed. */
  readonly populated: boolean
  readonly unlogged: boolean
  readonly pages: number
  /** Rows by the statistics of the server; -1 if it does not know. */
  readonly estimate: number
  readonly filenode: number
}

/** Everything but what belongs to extensions, the system or other sessions. */
const RELATIONS = `
  SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
         CASE WHEN c.relispartition
              THEN (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1) END AS parent,
         CASE WHEN c.relkind = 'S'
              THEN (SELECT d.refobjid FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1) END AS owner,
         c.relispopulated AS populated, c.relpersistence = 'u' AS unlogged,
         c.relpages AS pages, c.reltuples::float8 AS estimate, c.relfilenode AS filenode
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

/** In the order of their names. */
export async function listRelations(session: Session): Promise<readonly Relation[]> {
  return await session.query<{ [Field in keyof Relation]: Relation[Field] }>(RELATIONS)
}

/** False for names that are not valid in any encoding: in a database without one they cannot be said from here. */
export function isReadable({ schema, name }: Pick<Relation, 'schema' | 'name'>): boolean {
  return !`${schema}${name}`.includes('\uFFFD')
}
