import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'

export type DatabaseSettings = Contents['database']

/** The database of a session. */
export interface DatabaseFacts extends DatabaseSettings {
  readonly oid: number
  readonly sizeBytes: number
  readonly comment: string | null
  readonly isStandby: boolean
  /** Of the order of letters: as it was when the database was made, and as the system of the server has it now. */
  readonly collationVersion: string | null
  readonly collationVersionNow: string | null
}

/** Versions since which the columns exist. */
const PROVIDERS_SINCE = 150_000
const ICU_RULES_SINCE = 160_000
const BUILTIN_SINCE = 170_000

/** What is known of the database that a session is in. */
export async function readDatabaseFacts(session: Session): Promise<DatabaseFacts> {
  const [row] = await session.query<Row>(`
    SELECT d.oid, pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS collate,
           d.datctype::text AS ctype, ${localeColumns(session.serverVersion)},
           pg_get_userbyid(d.datdba)::text AS owner, t.spcname::text AS tablespace,
           d.datistemplate AS template, d.datconnlimit AS connections,
           pg_database_size(d.oid)::text AS size, shobj_description(d.oid, 'pg_database') AS comment,
           pg_is_in_recovery() AS standby
    FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
    WHERE d.datname = current_database()`)
  if (row === undefined) throw new Error('a session is in no database')
  const { oid, encoding, collate, ctype, locale, rules, owner, tablespace, comment } = row
  return {
    ...{ oid, encoding, collate, ctype, locale, icuRules: rules, owner, tablespace, comment },
    localeProvider: providerOf(row.provider),
    isTemplate: row.template,
    connectionLimit: row.connections,
    sizeBytes: Number(row.size),
    isStandby: row.standby,
    collationVersion: row.version,
    collationVersionNow: row.now,
  }
}

/** The part that is stored: how the database was made. */
export function settingsOf(facts: DatabaseFacts): DatabaseSettings {
  const { encoding, collate, ctype, localeProvider, locale, icuRules } = facts
  const { owner, tablespace, isTemplate, connectionLimit } = facts
  return {
    encoding,
    collate,
    ctype,
    localeProvider,
    locale,
    icuRules,
    owner,
    tablespace,
    isTemplate,
    connectionLimit,
  }
}

/** What is shown of a database, and stored in the clear: no settings, which may hold secrets. */
export function detailsOf(facts: DatabaseFacts): Readonly<Record<string, string | number | boolean>> {
  const { locale, icuRules, ...rest } = settingsOf(facts)
  return { ...rest, ...(locale === null ? {} : { locale }), ...(icuRules === null ? {} : { icuRules }) }
}

interface Row {
  readonly oid: number
  readonly encoding: string
  readonly collate: string
  readonly ctype: string
  readonly provider: string
  readonly locale: string | null
  readonly rules: string | null
  readonly version: string | null
  readonly now: string | null
  readonly owner: string
  readonly tablespace: string
  readonly template: boolean
  readonly connections: number
  readonly size: string
  readonly comment: string | null
  readonly standby: boolean
}

function localeColumns(version: number): string {
  const locale =
    version >= BUILTIN_SINCE ? 'd.datlocale' : version >= PROVIDERS_SINCE ? 'd.daticulocale' : 'NULL'
  const rules = version >= ICU_RULES_SINCE ? 'd.daticurules' : 'NULL'
  const [provider, was, now] =
    version >= PROVIDERS_SINCE
      ? ['d.datlocprovider', 'd.datcollversion', 'pg_database_collation_actual_version(d.oid)']
      : ["'c'", 'NULL', 'NULL']
  return `${provider}::text AS provider, ${locale}::text AS locale, ${rules}::text AS rules,
          ${was}::text AS version, ${now}::text AS now`
}

function providerOf(letter: string): DatabaseSettings['localeProvider'] {
  return letter === 'i' ? 'icu' : letter === 'b' ? 'builtin' : 'libc'
}
