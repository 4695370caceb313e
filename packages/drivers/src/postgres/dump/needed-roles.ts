import type { Session } from '../session.ts'
import type { Selection } from './select-relations.ts'

/** A catalog whose objects have owners. */
interface Owned {
  readonly catalog: string
  readonly owner: string
  readonly acl?: string
  /** The column with the schema of an object. */
  readonly schema?: string
}

const OWNED: readonly Owned[] = [
  { catalog: 'pg_class', owner: 'relowner', acl: 'relacl', schema: 'relnamespace' },
  { catalog: 'pg_proc', owner: 'proowner', acl: 'proacl', schema: 'pronamespace' },
  { catalog: 'pg_type', owner: 'typowner', acl: 'typacl', schema: 'typnamespace' },
  { catalog: 'pg_namespace', owner: 'nspowner', acl: 'nspacl', schema: 'oid' },
  { catalog: 'pg_language', owner: 'lanowner', acl: 'lanacl' },
  { catalog: 'pg_foreign_data_wrapper', owner: 'fdwowner', acl: 'fdwacl' },
  { catalog: 'pg_foreign_server', owner: 'srvowner', acl: 'srvacl' },
  { catalog: 'pg_largeobject_metadata', owner: 'lomowner', acl: 'lomacl' },
  { catalog: 'pg_default_acl', owner: 'defaclrole', acl: 'defaclacl' },
  { catalog: 'pg_operator', owner: 'oprowner', schema: 'oprnamespace' },
  { catalog: 'pg_opclass', owner: 'opcowner', schema: 'opcnamespace' },
  { catalog: 'pg_opfamily', owner: 'opfowner', schema: 'opfnamespace' },
  { catalog: 'pg_collation', owner: 'collowner', schema: 'collnamespace' },
  { catalog: 'pg_conversion', owner: 'conowner', schema: 'connamespace' },
  { catalog: 'pg_ts_dict', owner: 'dictowner', schema: 'dictnamespace' },
  { catalog: 'pg_ts_config', owner: 'cfgowner', schema: 'cfgnamespace' },
  { catalog: 'pg_statistic_ext', owner: 'stxowner', schema: 'stxnamespace' },
  { catalog: 'pg_event_trigger', owner: 'evtowner' },
  { catalog: 'pg_publication', owner: 'pubowner' },
]

/** The first number of an object that was not there when the server was made. */
const FIRST_OWN = 16_384

/**
 * Every role that the dump, or the settings beside it, will name. Not by pg_shdepend alone, which knows nothing of the
 * role that the server was made with. The owner of an extension and its parts is whoever restores it.
 */
export async function neededRoles(session: Session, selection: Selection): Promise<readonly string[]> {
  const parts = [...OWNED.map(owners), ...OWNED.filter(({ acl }) => acl !== undefined).map(grantees), OTHERS]
  const rows = await session.query<{ name: string }>(
    `WITH here AS (SELECT oid, datdba, datacl FROM pg_database WHERE datname = current_database()),
     gone_relation AS (SELECT unnest($1::oid[]) AS oid), gone_schema AS (SELECT unnest($2::oid[]) AS oid)
     SELECT rolname::text AS name FROM pg_roles WHERE oid IN (${parts.join('\nUNION ALL ')})
     ORDER BY rolname COLLATE "C"`,
    [selection.relationsLeftOut.map(({ oid }) => oid), selection.schemasLeftOut.map(({ oid }) => oid)],
  )
  return rows.map(({ name }) => name)
}

/** What belongs to something else has its owner, also if that is a part of an extension, of which only that knows. */
const STANDS_ALONE: Readonly<Record<string, string>> = {
  pg_class: "o.relkind NOT IN ('i', 'I', 't')",
  pg_proc: `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = o.oid
    AND d.deptype = 'i')`,
  pg_type: `o.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)
    AND coalesce((SELECT r.relkind = 'c' FROM pg_class r WHERE r.oid = o.typrelid), true)`,
}

function owners(owned: Owned): string {
  const { catalog, owner } = owned
  return `SELECT o.${owner} FROM ${catalog} o
          WHERE ${isDumped(owned)} AND ${STANDS_ALONE[catalog] ?? 'true'} AND ${isNoPart(catalog)}`
}

/**
 * The parts of extensions too: what was granted on them since is in a dump, though not what the extension itself
 * grants. Owners grant without being named.
 */
function grantees(owned: Owned): string {
  const { catalog, owner, acl } = owned
  return `SELECT unnest(ARRAY[a.grantee, nullif(a.grantor, o.${owner})]) FROM ${catalog} o, aclexplode(o.${acl}) a
          WHERE ${isDumped(owned)} AND NOT EXISTS (
            SELECT FROM pg_init_privs i, aclexplode(i.initprivs) b
            WHERE i.classoid = '${catalog}'::regclass AND i.objoid = o.oid AND i.objsubid = 0 AND b = a)`
}

function isDumped({ catalog, schema }: Owned): string {
  const conditions = [`o.oid >= ${FIRST_OWN}`]
  if (catalog === 'pg_class') conditions.push('o.oid NOT IN (SELECT oid FROM gone_relation)')
  if (catalog === 'pg_type') conditions.push('o.typrelid NOT IN (SELECT oid FROM gone_relation)')
  if (schema !== undefined) {
    // among them the temporary tables of all sessions
    conditions.push(`o.${schema} NOT IN (SELECT oid FROM gone_schema
      UNION ALL SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^pg_')`)
  }
  return conditions.join(' AND ')
}

function isNoPart(catalog: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = o.oid
    AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')`
}

/** Privileges of columns, policies, changed privileges of the system's objects, and what is beside the dump. */
const OTHERS = `
  SELECT unnest(ARRAY[a.grantee, a.grantor]) FROM pg_attribute c, aclexplode(c.attacl) a
  WHERE c.attrelid >= ${FIRST_OWN} AND c.attrelid NOT IN (SELECT oid FROM gone_relation)
    AND (SELECT r.relnamespace FROM pg_class r WHERE r.oid = c.attrelid) NOT IN (SELECT oid FROM gone_schema)
  UNION ALL SELECT unnest(p.polroles) FROM pg_policy p
  WHERE p.polrelid NOT IN (SELECT oid FROM gone_relation)
    AND (SELECT r.relnamespace FROM pg_class r WHERE r.oid = p.polrelid) NOT IN (SELECT oid FROM gone_schema)
  UNION ALL SELECT s.refobjid FROM pg_shdepend s, here
  WHERE s.dbid = here.oid AND s.objid < ${FIRST_OWN} AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'a'
  UNION ALL SELECT m.umuser FROM pg_user_mappings m
  UNION ALL SELECT u.subowner FROM pg_subscription u, here WHERE u.subdbid = here.oid
  UNION ALL SELECT r.setrole FROM pg_db_role_setting r, here WHERE r.setdatabase = here.oid
  UNION ALL SELECT datdba FROM here
  UNION ALL SELECT unnest(ARRAY[a.grantee, a.grantor]) FROM here, aclexplode(here.datacl) a`
