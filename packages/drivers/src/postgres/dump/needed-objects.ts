import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'
import { neededRoles } from './needed-roles.ts'
import type { Selection } from './select-relations.ts'

/** What must be on a server before a dump can be restored there. */
export type NeededObjects = Pick<
  Contents,
  'roles' | 'extensions' | 'tablespaces' | 'languages' | 'libraries' | 'superuserOnly'
>

const EXTENSIONS = `
  SELECT e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  WHERE e.oid >= 16384 ORDER BY e.extname COLLATE "C"`

const TABLESPACES = `
  SELECT DISTINCT t.spcname::text AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
  WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.oid <> ALL ($1::oid[]) AND c.relnamespace <> ALL ($2::oid[])
    AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indrelid = ANY ($1::oid[]))
  ORDER BY name`

const LANGUAGES = `
  SELECT l.lanname::text AS name FROM pg_language l WHERE l.oid >= 16384 AND ${isNoPart('pg_language', 'l')} ORDER BY name`

const LIBRARIES = `
  SELECT DISTINCT p.probin AS name FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384 AND l.lanname = 'c' AND p.probin IS NOT NULL AND p.pronamespace <> ALL ($1::oid[])
    AND ${isNoPart('pg_proc', 'p')} ORDER BY name`

/** Kinds of objects that no privilege but SUPERUSER lets anybody create, and where they are. */
const SUPERUSER_ONLY: readonly (readonly [kind: string, catalog: string, condition: string])[] = [
  ['access methods', 'pg_am', 'true'],
  ['aggregates with a state of type internal', 'pg_aggregate', "o.aggtranstype = 'internal'::regtype"],
  [
    'base types',
    'pg_type',
    "o.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)",
  ],
  ['casts without a function', 'pg_cast', "o.castmethod = 'b'"],
  ['event triggers', 'pg_event_trigger', 'true'],
  ['foreign data wrappers', 'pg_foreign_data_wrapper', 'true'],
  [
    'functions in C and in untrusted languages',
    'pg_proc',
    'NOT (SELECT l.lanpltrusted FROM pg_language l WHERE l.oid = o.prolang)',
  ],
  ['languages', 'pg_language', 'true'],
  ['leak-proof functions', 'pg_proc', 'o.proleakproof'],
  ['operator classes', 'pg_opclass', 'true'],
  ['operator families', 'pg_opfamily', 'true'],
  ['publications of all tables', 'pg_publication', 'o.puballtables'],
  ['text search parsers', 'pg_ts_parser', 'true'],
  ['text search templates', 'pg_ts_template', 'true'],
]

/** What a restore must find, as the snapshot of a session shows it. Filters only narrow down what they can. */
export async function neededObjects(session: Session, selection: Selection): Promise<NeededObjects> {
  const relations = selection.relationsLeftOut.map(({ oid }) => oid)
  const schemas = selection.schemasLeftOut.map(({ oid }) => oid)
  const names = async (sql: string, params: readonly unknown[] = []) => {
    const rows = await session.query<{ name: string }>(sql, params)
    return rows.map(({ name }) => name)
  }
  return {
    roles: [...(await neededRoles(session, selection))],
    extensions: [...(await session.query<{ name: string; version: string; schema: string }>(EXTENSIONS))],
    tablespaces: await names(TABLESPACES, [relations, schemas]),
    languages: await names(LANGUAGES),
    libraries: await names(LIBRARIES, [schemas]),
    superuserOnly: await names(superuserOnly()),
  }
}

function superuserOnly(): string {
  const parts = SUPERUSER_ONLY.map(([kind, catalog, condition]) => {
    const id = catalog === 'pg_aggregate' ? 'o.aggfnoid::oid' : 'o.oid'
    const class_ = catalog === 'pg_aggregate' ? 'pg_proc' : catalog
    return `SELECT '${kind}' AS name WHERE EXISTS (SELECT FROM ${catalog} o WHERE ${id} >= 16384 AND ${condition}
      AND ${isNoPart(class_, 'o', id)})`
  })
  return `${parts.join(' UNION ALL ')} ORDER BY name`
}

/** Not a part of an extension, which a restore creates as a whole. */
function isNoPart(catalog: string, alias: string, id = `${alias}.oid`): string {
  return `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${id}
    AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')`
}
