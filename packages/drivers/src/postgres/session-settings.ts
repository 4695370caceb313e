import { AppError } from '@holdfast/core'
import type { PostgresConnection } from './postgres-url.ts'
import type { QueryOptions, Session } from './session.ts'

/** Seconds after which a working server looks whether anybody still listens. */
const CHECK_INTERVAL = '5s'

/** Whatever a role or a database has set, our queries mean the same. What a server does not know is left out. */
const PINNED: Readonly<Record<string, string>> = {
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  search_path: '',
  // rows that the user may not see are an error, never left out
  row_security: 'off',
  extra_float_digits: '3',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
}

interface Facts {
  readonly pid: number
  readonly serverVersion: number
  readonly startedAt: string
}

/** Pins the settings of a new session and makes sure that it is in the database that was asked for. */
export async function prepare(
  session: Session,
  { lockTimeoutMs, statementTimeoutMs }: PostgresConnection,
  within: QueryOptions,
): Promise<Facts> {
  const settings = { ...PINNED, lock_timeout: `${lockTimeoutMs}`, statement_timeout: `${statementTimeoutMs}` }
  await session.query(
    `SELECT pg_catalog.set_config(wanted.key, wanted.value, false)
     FROM pg_catalog.json_each_text($1::pg_catalog.json) AS wanted
     WHERE pg_catalog.lower(wanted.key) IN (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings)`,
    [JSON.stringify(settings)],
    within,
  )
  const [facts] = await session.query<{
    readonly pid: number
    readonly version: string
    readonly started: string
    readonly database: string
    readonly superuser: boolean
  }>(FACTS, [], within)
  if (facts === undefined) throw new Error('a SELECT without FROM had no row')
  // compared as bytes: a name that another encoding's database cannot show would look different as text
  if (facts.database !== Buffer.from(session.database).toString('hex')) {
    throw new AppError(
      'INVALID_CONNECTION',
      'the PostgreSQL server opened another database than the one asked for',
      {
        hint: 'connect to the server itself instead of a pooler that redirects databases',
      },
    )
  }
  const serverVersion = Number(facts.version)
  await extras(session, serverVersion, facts.superuser, within)
  return { pid: facts.pid, serverVersion, startedAt: facts.started }
}

const FACTS = `
  SELECT pg_backend_pid() AS pid,
         current_setting('server_version_num') AS version,
         (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS started,
         encode(convert_to(current_database()::text, getdatabaseencoding()), 'hex') AS database,
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser`

/** Good to have, but not everywhere allowed or possible. */
async function extras(
  session: Session,
  serverVersion: number,
  isSuperuser: boolean,
  within: QueryOptions,
): Promise<void> {
  const wanted = [
    ...(isSuperuser ? ["SET lc_messages = 'C'"] : []),
    // lets a server that works notice that its client is gone
    ...(serverVersion >= 140_000 ? [`SET client_connection_check_interval = '${CHECK_INTERVAL}'`] : []),
  ]
  for (const sql of wanted) {
    await session.query(sql, [], within).catch((error: unknown) => {
      if (session.lost.aborted) throw error
    })
  }
}
