import type { Attachment } from '@holdfast/core'
import { quoted } from '../contents/table-names.ts'
import type { Session } from '../session.ts'
import type { DatabaseFacts } from './database-facts.ts'
import { readDatabaseGrants } from './database-grants.ts'
import { settingValue } from './setting-value.ts'

/** psql puts the name in quotes by itself, and looks for variables in no literal of ours. */
const DATABASE = 'DATABASE :"database"'

const HEADER = `\\set ON_ERROR_STOP on
-- What belongs to a database and is in no dump of it. Run it with psql, in any database of the server:
--   psql -X -v database=NAME -f settings.sql
-- With -v no_owner=1 it names no role: whoever runs it stays the owner.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
BEGIN;`

/** The attachment that gives a restored database, under any name, what its source was set to. */
export async function settingsScript(session: Session, facts: DatabaseFacts): Promise<Attachment> {
  const lines = [
    HEADER,
    `-- tablespace of the source: ${JSON.stringify(facts.tablespace)}`,
    ...(await commentsAndLabels(session, facts)),
    ...(await databaseSettings(session, facts)),
    ...(facts.connectionLimit === -1 ? [] : [`ALTER ${DATABASE} CONNECTION LIMIT ${facts.connectionLimit};`]),
    ...(facts.isTemplate ? [`ALTER ${DATABASE} IS_TEMPLATE true;`] : []),
    '\\if :{?no_owner}',
    '\\else',
    `ALTER ${DATABASE} OWNER TO ${quoted(facts.owner)};`,
    ...(await readDatabaseGrants(session, facts)),
    ...(await roleSettings(session, facts)),
    '\\endif',
    'COMMIT;',
  ]
  return { role: 'settings', format: 'sql', content: `${lines.map(legible).join('\n')}\n` }
}

/** What stands for something that could not be said in UTF-8. */
export const ILLEGIBLE = '-- left out: a name or a text in no known encoding'

function legible(line: string): string {
  return line.includes('\uFFFD') ? ILLEGIBLE : line
}

async function commentsAndLabels(session: Session, { oid }: DatabaseFacts): Promise<readonly string[]> {
  const rows = await session.query<{ statement: string }>(
    `SELECT format('COMMENT ON ${DATABASE} IS %L;', shobj_description($1, 'pg_database')) AS statement
     WHERE shobj_description($1, 'pg_database') IS NOT NULL
     UNION ALL
     SELECT format('SECURITY LABEL FOR %I ON ${DATABASE} IS %L;', provider, label)
     FROM pg_shseclabel WHERE classoid = 'pg_database'::regclass AND objoid = $1`,
    [oid],
  )
  return rows.map(({ statement }) => statement)
}

const SETTINGS = `
  SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole)::text END AS role, setting
  FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
  WHERE s.setdatabase = $1 AND (s.setrole <> 0) = $2 ORDER BY 1, 2`

async function databaseSettings(session: Session, { oid }: DatabaseFacts): Promise<readonly string[]> {
  const rows = await session.query<{ setting: string }>(SETTINGS, [oid, false])
  return rows.map(({ setting }) => `ALTER ${DATABASE} SET ${settingValue(setting)};`)
}

async function roleSettings(session: Session, { oid }: DatabaseFacts): Promise<readonly string[]> {
  const rows = await session.query<{ role: string; setting: string }>(SETTINGS, [oid, true])
  return rows.map(
    ({ role, setting }) => `ALTER ROLE ${quoted(role)} IN ${DATABASE} SET ${settingValue(setting)};`,
  )
}
