import { KEEPALIVE } from '../client-server/keepalive.ts'
import { SERVER_KEEPALIVE } from './keepalive.ts'
import type { PostgresConnection } from './postgres-url.ts'

/** Below a file that is no directory: nothing can ever lie there. */
const NOWHERE = '/dev/null/none'

/**
 * What a role or a database may have set otherwise, so that text written under it means something else, or nothing,
 * where it is read: `5:30 IST` is three different times.
 */
const UNAMBIGUOUS = {
  DateStyle: 'ISO',
  TimeZone: 'UTC',
  lc_monetary: 'C',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  default_transaction_read_only: 'off',
}

/**
 * What a PostgreSQL tool needs in order to reach a database, for `-d`: every value is quoted, so that no name can be
 * taken for an option or another place. The password is not in it; see {@link toolEnvironment}. No client encoding
 * is named: bytes stay what they are in the database.
 */
export function conninfoOf(
  connection: PostgresConnection,
  database: string,
  applicationName: string,
): string {
  const values: Readonly<Record<string, string | number>> = {
    host: connection.host,
    port: connection.port,
    user: connection.user,
    dbname: database,
    application_name: applicationName,
    // libpq takes less than two seconds for two, and 0 for ever
    connect_timeout: Math.max(2, Math.ceil(connection.connectTimeoutMs / 1000)),
    sslmode: connection.sslMode,
    // files in the home directory must not decide where we connect or what we present
    sslrootcert: connection.sslRootCert ?? NOWHERE,
    sslcert: connection.sslCert ?? NOWHERE,
    sslkey: connection.sslKey ?? NOWHERE,
    sslcrl: NOWHERE,
    gssencmode: 'disable',
    passfile: NOWHERE,
    keepalives: 1,
    keepalives_idle: KEEPALIVE.idleS,
    keepalives_interval: KEEPALIVE.intervalS,
    keepalives_count: KEEPALIVE.count,
  }
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoted(String(value))}`)
    .join(' ')
}

/** The environment of a PostgreSQL tool: its password, and nothing that a file or a setting of ours could add. */
export function toolEnvironment(connection: PostgresConnection): Readonly<Record<string, string>> {
  const { password, lockTimeoutMs } = connection
  const options = {
    // no time-out of a role or a database may end a tool; the one for locks is ours
    lock_timeout: lockTimeoutMs,
    statement_timeout: 0,
    idle_in_transaction_session_timeout: 0,
    ...SERVER_KEEPALIVE,
    ...UNAMBIGUOUS,
  }
  return {
    HOME: NOWHERE,
    PGPASSFILE: NOWHERE,
    PGOPTIONS: Object.entries(options)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    ...(password === null ? {} : { PGPASSWORD: password }),
  }
}

function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
