import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import {
  DEFAULT_PRIVILEGES,
  DEFINITIONS,
  FILTERS,
  IDENTITIES,
  IGNORED_COLUMNS,
  OTHER_CATALOGS,
  OWNING_COLUMNS,
} from './catalog-rules.ts'
import type { CatalogSession } from './client.ts'
import { privilegeList } from './privilege-list.ts'

/** A system catalog as the server describes it. */
interface Catalog {
  readonly name: string
  readonly columns: readonly CatalogColumn[]
}

interface CatalogColumn {
  readonly name: string
  readonly type: string
  /** The catalog that its oids lead to. */
  readonly target: string | null
  /** It holds numbers of columns. */
  readonly isPosition: boolean
}

/** Every row of every catalog of this database, every oid in it replaced by the name of what it leads to. */
export async function catalogEntries(session: CatalogSession): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const [kind, query] of await catalogQueries(session))
    entries.push(...(await entriesOf(session, kind, query)))
  return entries
}

/** For each kind of entries, what asks for them. */
export async function catalogQueries(session: CatalogSession): Promise<ReadonlyMap<string, string>> {
  const queries = (await catalogsOf(session)).flatMap((catalog) => {
    const privileges = systemPrivilegeQuery(catalog)
    const objects = [catalog.name, objectQuery(catalog)] as const
    return privileges === null ? [objects] : [objects, [`system ${catalog.name}`, privileges] as const]
  })
  return new Map([...queries, ...Object.entries(RELATIONS)])
}

/** What one query has to say. */
export async function entriesOf(
  session: CatalogSession,
  kind: string,
  query: string,
): Promise<readonly FingerprintEntry[]> {
  // names cost most: with OFFSET they are made once, for rows that have passed everything else
  const rows = await session.rows(
    `SELECT name, facts FROM (${query} OFFSET 0) x WHERE name !~ '^(pg_toast|information_schema)\\.'`,
  )
  return rows.map(([name, facts]) => {
    if (name === null || name === undefined) throw new Error(`a row of ${kind} has no name`)
    return { kind, name, facts: toFacts(JSON.parse(facts ?? '{}')) }
  })
}

async function catalogsOf(session: CatalogSession): Promise<readonly Catalog[]> {
  const rows = await session.rows(CATALOG_QUERY, [OTHER_CATALOGS])
  const catalogs = new Map<string, CatalogColumn[]>()
  for (const [catalog, name, type, target, isPosition] of rows) {
    const column = {
      name: name ?? '',
      type: type ?? '',
      target: target ?? null,
      isPosition: isPosition === 't',
    }
    catalogs.set(catalog ?? '', [...(catalogs.get(catalog ?? '') ?? []), column])
  }
  if (catalogs.size === 0) throw new Error('this database shows no catalogs')
  return [...catalogs].map(([name, columns]) => ({ name, columns }))
}

const CATALOG_QUERY = `
  SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), k.target,
    EXISTS (SELECT FROM pg_get_catalog_foreign_keys() p
      WHERE p.fktable = c.oid AND cardinality(p.fkcols) = 2 AND p.fkcols[2] = a.attname) AS is_position
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN LATERAL (SELECT f.pktable::text AS target FROM pg_get_catalog_foreign_keys() f
    WHERE f.fktable = c.oid AND f.fkcols = ARRAY[a.attname::text] LIMIT 1) k ON true
  WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.relname <> ALL ($1)
  ORDER BY c.relname, a.attnum`

function objectQuery(catalog: Catalog): string {
  const ignored = IGNORED_COLUMNS[catalog.name] ?? []
  const facts = catalog.columns
    .filter(({ name, type, isPosition }) => {
      return name !== 'oid' && type !== 'pg_node_tree' && !isPosition && !ignored.includes(name)
    })
    .map((column) => [column.name, factOf(catalog.name, column)] as const)
  const names = catalog.columns.map(({ name }) => name)
  const definitions = Object.entries(DEFINITIONS[catalog.name] ?? {}).filter(([, sql]) =>
    [...sql.matchAll(/\bc\.(\w+)/g)].every(([, column]) => names.includes(column ?? '')),
  )
  const filter = FILTERS[catalog.name] ?? `c.${owningColumn(catalog)} >= 16384`
  return `SELECT ${identityOf(catalog)} AS name, ${objectOf([...facts, ...definitions])} AS facts
    FROM pg_catalog.${catalog.name} c WHERE ${filter}`
}

/** What belongs to the server's own objects is looked at only where privileges are not those it came with. */
function systemPrivilegeQuery(catalog: Catalog): string | null {
  const column = catalog.columns.find(({ type, name }) => type === 'aclitem[]' && name !== 'defaclacl')
  if (column === undefined || catalog.name === 'pg_largeobject_metadata') return null
  const [object, part] =
    catalog.name === 'pg_attribute' ? ['c.attrelid', 'c.attnum'] : [`c.${owningColumn(catalog)}`, '0']
  const owner = catalog.name === 'pg_attribute' ? 'pg_class' : catalog.name
  return `SELECT ${identityOf(catalog)} AS name, ${objectOf([['privileges', factOf(catalog.name, column)]])} AS facts
    FROM pg_catalog.${catalog.name} c
    LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = ${object} AND i.objsubid = ${part}
      AND i.classoid = 'pg_catalog.${owner}'::regclass
    WHERE ${object} < 16384 AND c.${column.name} IS DISTINCT FROM i.initprivs
      AND ${catalog.name === 'pg_namespace' ? `c.nspname NOT IN ('public', 'information_schema')` : 'true'}`
}

function owningColumn({ name, columns }: Catalog): string {
  const owning = columns.some((column) => column.name === 'oid') ? 'oid' : OWNING_COLUMNS[name]
  if (owning === undefined) throw new Error(`it is not known whose rows those of ${name} are`)
  return owning
}

function identityOf(catalog: Catalog): string {
  const own = IDENTITIES[catalog.name]
  if (own !== undefined) return own
  const owning = owningColumn(catalog)
  const target = owning === 'oid' ? catalog.name : catalog.columns.find(({ name }) => name === owning)?.target
  return `(pg_catalog.pg_identify_object('pg_catalog.${target}'::regclass, c.${owning}, 0)).identity`
}

/** SQL for what one column says, without oids. */
function factOf(catalog: string, { name, type, target }: CatalogColumn): string {
  if (type === 'aclitem[]') return privilegesOf(catalog, name)
  // a dump sorts them
  if (name.endsWith('options') && type === 'text[]')
    return `(SELECT string_agg(o, E'\\n' ORDER BY o COLLATE "C") FROM unnest(c.${name}) o)`
  const nameOf = (oid: string) =>
    `CASE WHEN ${oid} <> 0 THEN (pg_catalog.pg_identify_object('pg_catalog.${target}'::regclass, ${oid}, 0)).identity END`
  if (target === null) {
    if (type === 'oid' || type === 'oid[]')
      throw new Error(`it is not known where ${catalog}.${name} leads to`)
    return `c.${name}::text`
  }
  if (type !== 'oid[]' && type !== 'oidvector') return nameOf(`c.${name}::oid`)
  // the order of roles is that of their oids; elsewhere it means something
  const order = name === 'polroles' ? nameOf('u.oid') : 'u.n'
  return `(SELECT string_agg(coalesce(${nameOf('u.oid')}, '-'), ', ' ORDER BY ${order})
    FROM unnest(c.${name}::oid[]) WITH ORDINALITY AS u (oid, n))`
}

/** Who may do what, those included who may because nobody has said otherwise. */
function privilegesOf(catalog: string, column: string): string {
  const [kind, owner] = DEFAULT_PRIVILEGES[catalog] ?? []
  return privilegeList(
    kind === undefined ? `c.${column}` : `coalesce(c.${column}, acldefault(${kind}, ${owner}))`,
  )
}

function objectOf(facts: readonly (readonly [name: string, sql: string])[]): string {
  return `jsonb_build_object(${facts.map(([name, sql]) => `'${name}', ${sql}`).join(', ')})`
}

const IDENTIFIED = (prefix: string) =>
  `(pg_catalog.pg_identify_object(d.${prefix}classid, d.${prefix}objid, d.${prefix}objsubid))`

/** What connects objects, and what is said of them. */
const RELATIONS: Readonly<Record<string, string>> = {
  comment: `
    SELECT format('%s %s', o.type, o.identity) AS name, jsonb_build_object('comment', d.description,
      'hash', CASE WHEN d.description ~ '[^[:ascii:]]' THEN md5(d.description) END) AS facts
    FROM pg_catalog.pg_description d,
      pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    WHERE d.objoid >= 16384 OR d.classoid = 'pg_catalog.pg_largeobject'::regclass
      OR (d.classoid = 'pg_catalog.pg_namespace'::regclass AND d.objoid = 'public'::regnamespace)`,
  // ordinary dependencies follow from the definitions; these were declared
  dependency: `
    SELECT format('%s %s on %s %s', ${IDENTIFIED('')}.type, ${IDENTIFIED('')}.identity,
      ${IDENTIFIED('ref')}.type, ${IDENTIFIED('ref')}.identity) AS name, jsonb_build_object('kind', d.deptype) AS facts
    FROM pg_catalog.pg_depend d
    WHERE d.objid >= 16384 AND (d.deptype IN ('e', 'x') OR (d.deptype IN ('a', 'i') AND d.refobjsubid > 0
      AND d.objid IN (SELECT seqrelid FROM pg_catalog.pg_sequence)))`,
}
