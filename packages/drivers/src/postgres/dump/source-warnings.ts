import type { Session } from '../session.ts'
import type { DatabaseFacts } from './database-facts.ts'

const MOST_NAMED = 5

/** Facts about a database that whoever backs it up should know: what a dump has not, or has although it is secret. */
export async function sourceWarnings(session: Session, facts: DatabaseFacts): Promise<readonly string[]> {
  const found = await session.query<{
    readonly kind: string
    readonly names: readonly string[]
    readonly total: number
  }>(
    `SELECT kind, total::int, (array_agg(name ORDER BY name))[1:${MOST_NAMED}] AS names
     FROM (SELECT kind, name, count(*) OVER (PARTITION BY kind) AS total FROM (${FINDINGS}) AS finding) AS counted
     GROUP BY kind, total ORDER BY kind`,
  )
  const warnings = found.map(({ kind, names, total }) => {
    const more = total - names.length
    return `${TEXTS[kind] ?? kind}: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  })
  return [...warnings, ...generalWarnings(facts)]
}

/** By kind as in {@link FINDINGS}. */
const TEXTS: Readonly<Record<string, string>> = {
  collation:
    'collations of which the system has another version than when they were made; REINDEX what uses them',
  foreign: 'foreign tables, of which only the definition is in a dump',
  index: 'invalid indexes, which are not in a dump',
  mapping: 'user mappings of foreign servers, whose passwords are readable in a dump',
  mappingUnread:
    'user mappings of foreign servers, of which a dump by this user has no options: it may not read them',
  prepared: 'prepared transactions, which are in no dump until they are committed',
  subscription:
    'subscriptions, whose passwords are readable in a dump, and which a restored copy does not resume',
  subscriptionUnread: 'subscriptions, which no dump by this user has: only a superuser may read them',
  unlogged: 'unlogged tables, whose rows a dump keeps but a crash of the server does not',
  view: 'materialised views without rows, which a restore leaves without rows',
}

const IS_OURS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')`
const IS_SUPERUSER = '(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)'
const RELATION = `format('%s.%s', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`

const FINDINGS = `
  SELECT 'unlogged' AS kind, ${RELATION}
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'u' AND ${IS_OURS}
  UNION ALL
  SELECT 'foreign', ${RELATION} WHERE c.relkind = 'f' AND ${IS_OURS}
  UNION ALL
  SELECT 'view', ${RELATION} WHERE c.relkind = 'm' AND NOT c.relispopulated AND ${IS_OURS}
  UNION ALL
  SELECT 'index', ${RELATION}
  WHERE c.relkind = 'i' AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND NOT i.indisvalid) AND ${IS_OURS}
  UNION ALL
  SELECT CASE WHEN m.umoptions IS NULL AND NOT ${IS_SUPERUSER} THEN 'mappingUnread' ELSE 'mapping' END,
         format('%s of %s', m.usename, m.srvname) FROM pg_user_mappings m
  UNION ALL
  SELECT CASE WHEN ${IS_SUPERUSER} THEN 'subscription' ELSE 'subscriptionUnread' END, s.subname::text
  FROM pg_subscription s
  WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL
  SELECT 'prepared', format('of %s', p.owner) FROM pg_prepared_xacts p WHERE p.database = current_database()
  UNION ALL
  SELECT 'collation', format('%s.%s', n.nspname, c.collname)
  FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
  WHERE c.oid >= 16384 AND c.collversion IS NOT NULL AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid)`

function generalWarnings({
  isStandby,
  collationVersion,
  collationVersionNow,
}: DatabaseFacts): readonly string[] {
  return [
    ...(isStandby
      ? [
          'the server is a standby: long dumps can be ended by changes on the primary, and unlogged tables come without rows',
        ]
      : []),
    ...(collationVersion !== collationVersionNow
      ? [
          `the order of letters was made by version ${collationVersion ?? 'unknown'} and the system has ` +
            `${collationVersionNow ?? 'unknown'}: indexes may be wrong; REINDEX, then ALTER DATABASE … REFRESH COLLATION VERSION`,
        ]
      : []),
  ]
}
