import { AppError } from '@holdfast/core'
import type { Client } from 'pg'
import { escapeLiteral } from 'pg'
import { SERVER_KEEPALIVE } from './keepalive.ts'
import type { PostgresConnection } from './postgres-url.ts'

/** What a new session knows of itself. */
export interface Backend {
  readonly pid: number
  /** With the process id it names one session for ever: process ids come again. */
  readonly startedAt: string
  /** Like server_version_num: 150020. */
  readonly serverVersion: number
}

/** Whatever a role or a database has set, our queries mean the same. What a server does not know is left out. */
const PINNED: Readonly<Record<string, string>> = {
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  ...SERVER_KEEPALIVE,
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

/** How often a server that works looks whether its client is still there. Not every system can. */
const CHECK_INTERVAL = '5s'

/** Pins the settings of a new session and makes sure that it is in the database that was asked for. */
export async function prepareSession(
  client: Client,
  database: string,
  { lockTimeoutMs, statementTimeoutMs }: PostgresConnection,
): Promise<Backend> {
  const timeouts = { lock_timeout: `${lockTimeoutMs}`, statement_timeout: `${statementTimeoutMs}` }
  // several statements in one message have several results, of which the library's types know nothing
  const results: unknown = await client.query(statements({ ...PINNED, ...timeouts }))
  const facts = factsIn(results)
  // as bytes, which nobody has converted: not every encoding of a database can show the names of all databases
  if (facts.database !== Buffer.from(database).toString('hex')) {
    throw new AppError('INVALID_CONNECTION', 'the server opened another database than the one asked for', {
      hint: 'connect to PostgreSQL itself instead of a pooler that redirects databases',
    })
  }
  return facts
}

/**
 * The search path first: what a role has in its own could otherwise stand for the functions that follow. A database
 * without an encoding would refuse to tell names that are not UTF-8; like this they come with U+FFFD in them.
 */
function statements(settings: Readonly<Record<string, string>>): string {
  return `
    SELECT pg_catalog.set_config('search_path', '', false);
    SELECT set_config(key, value, false) FROM json_each_text(${escapeLiteral(JSON.stringify(settings))})
      WHERE current_setting(key, true) IS NOT NULL;
    SELECT set_config('lc_messages', 'C', false) FROM pg_roles WHERE rolname = current_user AND rolsuper;
    SELECT set_config('client_connection_check_interval', '${CHECK_INTERVAL}', false)
      WHERE current_setting('client_connection_check_interval', true) IS NOT NULL AND version() LIKE '%linux%';
    SELECT set_config('client_encoding', 'SQL_ASCII', false);
    SELECT pg_backend_pid() AS pid,
           (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS started,
           current_setting('server_version_num') AS version,
           encode(namesend(current_database()), 'hex') AS database;
    SELECT set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false)`
}

function factsIn(results: unknown): Backend & { readonly database: string } {
  const facts: unknown = Array.isArray(results) ? results.at(-2) : null
  const rows = typeof facts === 'object' && facts !== null && 'rows' in facts ? facts.rows : null
  const row: Readonly<Record<string, unknown>> = Array.isArray(rows) ? rows[0] : {}
  return {
    pid: Number(row.pid),
    startedAt: String(row.started),
    serverVersion: Number(row.version),
    database: String(row.database),
  }
}
