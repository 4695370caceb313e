import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { CatalogSession } from './client.ts'
import { privilegeList } from './privilege-list.ts'

/** What is true of the database itself, whatever its name. */
export async function databaseEntries(session: CatalogSession): Promise<readonly FingerprintEntry[]> {
  const [[facts = '{}'] = []] = await session.rows(DATABASE_QUERY)
  const settings = await session.rows(SETTING_QUERY)
  return [
    { kind: 'database', name: '', facts: toFacts(JSON.parse(facts ?? '{}')) },
    ...settings.map(([role, list]) => ({
      kind: 'settings',
      name: role === null || role === undefined ? 'of everybody' : `of ${role}`,
      facts: toFacts({ list }),
    })),
  ]
}

/** What is true of the server beyond its databases: roles with their hashes, memberships, tablespaces. */
export async function serverEntries(session: CatalogSession): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const [kind, query] of Object.entries(SERVER_QUERIES)) {
    for (const [name, facts] of await session.rows(query)) {
      entries.push({ kind, name: name ?? '', facts: toFacts(JSON.parse(facts ?? '{}')) })
    }
  }
  return entries
}

const DATABASE_QUERY = `
  SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datfrozenxid', 'datminmxid', 'datlastsysoid', 'datcollversion', 'dathasloginevt',
      'datacl', 'datdba', 'dattablespace', 'encoding']
    || jsonb_build_object('encoding', pg_encoding_to_char(d.encoding), 'owner', pg_get_userbyid(d.datdba),
      'tablespace', t.spcname, 'comment', shobj_description(d.oid, 'pg_database'),
      'privileges', ${privilegeList(`coalesce(d.datacl, acldefault('d', d.datdba))`)})
  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
  WHERE d.datname = current_database()`

const SETTING_QUERY = `
  SELECT r.rolname, (SELECT string_agg(x, E'\\n' ORDER BY x) FROM unnest(s.setconfig) x)
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`

const SERVER_QUERIES: Readonly<Record<string, string>> = {
  role: `
    SELECT a.rolname, to_jsonb(a) - ARRAY['oid', 'rolname'] || jsonb_build_object(
      'comment', shobj_description(a.oid, 'pg_authid'),
      'settings', (SELECT string_agg(x, E'\\n' ORDER BY x) FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) x
        WHERE s.setrole = a.oid AND s.setdatabase = 0))
    FROM pg_catalog.pg_authid a WHERE a.rolname !~ '^pg_'`,
  membership: `
    SELECT format('%s in %s', m.member::regrole, m.roleid::regrole),
      to_jsonb(m) - ARRAY['oid', 'roleid', 'member', 'grantor'] || jsonb_build_object('grantor', m.grantor::regrole)
    FROM pg_catalog.pg_auth_members m WHERE m.roleid >= 16384`,
  tablespace: `
    SELECT t.spcname, jsonb_build_object('owner', pg_get_userbyid(t.spcowner), 'options', t.spcoptions::text,
      'comment', shobj_description(t.oid, 'pg_tablespace'), 'privileges', ${privilegeList('t.spcacl')})
    FROM pg_catalog.pg_tablespace t`,
}
