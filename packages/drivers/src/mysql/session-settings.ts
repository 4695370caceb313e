import type { Connection } from 'mysql2'
import { ask } from './ask.ts'
import type { ServerFacts } from './flavours.ts'
import { serverFacts } from './flavours.ts'
import type { MysqlConnection } from './mysql-url.ts'
import { quoteText } from './quote.ts'
import { isServerError } from './server-error.ts'

/** What a new session knows of itself. */
export interface Backend {
  readonly id: number
  /** Where the server thinks that it comes from: ids of sessions begin again with a server's start. */
  readonly origin: string
  readonly server: ServerFacts
  /** The server would cut the connection over a longer one. */
  readonly longestStatementBytes: number
}

/**
 * Strict; nothing is replaced in silence, and a zero is a value. Without ANSI_QUOTES and NO_BACKSLASH_ESCAPES, so that
 * text in quotes means what our statements mean by it.
 */
const SQL_MODE = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'

/** What a packet has beside its statement, and some more. */
const HEADER_BYTES = 64
const FOREVER_S = 2_147_483

type Settings = Readonly<Record<string, string | number>>

/** Whatever a server or an account has set, our statements mean the same. What a server does not know is left out. */
const PINNED: Settings = {
  sql_mode: `'${SQL_MODE}'`,
  time_zone: "'+00:00'",
  autocommit: 1,
  completion_type: 0,
  sql_quote_show_create: 1,
  show_gipk_in_create_table_and_information_schema: 1,
  print_identified_with_as_hex: 1,
  sql_auto_is_null: 0,
  sql_safe_updates: 0,
  sql_big_selects: 1,
  sql_select_limit: '18446744073709551615',
  group_concat_max_len: 1_073_741_824,
  foreign_key_checks: 1,
  unique_checks: 1,
  information_schema_stats_expiry: 0,
}

/** Wanted as well, but no result depends on it: a hosted server may refuse what others allow to everybody. */
const WISHED: Settings = {
  lc_messages: "'en_US'",
  lc_time_names: "'en_US'",
  // no statement is too long for us, and no session idle for too long
  max_statement_time: 0,
  max_execution_time: 0,
  wait_timeout: FOREVER_S,
  idle_transaction_timeout: 0,
  idle_readonly_transaction_timeout: 0,
  idle_write_transaction_timeout: 0,
  net_read_timeout: 3_600,
  net_write_timeout: 86_400,
}

/** Pins the settings of a new session. Rejects with UNSUPPORTED_ENGINE for a server that is not supported. */
export async function prepareSession(
  client: Connection,
  { lockTimeoutMs }: Pick<MysqlConnection, 'lockTimeoutMs'>,
): Promise<Backend> {
  const [facts] = await ask(
    client,
    'SELECT VERSION() AS version, CONNECTION_ID() AS id, @@max_allowed_packet AS longest',
  )
  const server = serverFacts(textOf(facts, 'version'))
  await ask(client, 'SET NAMES utf8mb4 COLLATE utf8mb4_bin')
  await pinSettings(client, lockTimeoutMs)
  await ask(client, 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE')
  const id = Number(textOf(facts, 'id'))
  const [origin] = await ask(
    client,
    `SELECT host AS origin FROM information_schema.processlist WHERE id = ${id}`,
  )
  const longestStatementBytes = Number(textOf(facts, 'longest')) - HEADER_BYTES
  return { id, origin: textOf(origin, 'origin'), server, longestStatementBytes }
}

async function pinSettings(client: Connection, lockTimeoutMs: number): Promise<void> {
  const lockWaitS = Math.max(1, Math.ceil(lockTimeoutMs / 1000))
  const pinned = { ...PINNED, lock_wait_timeout: lockWaitS, innodb_lock_wait_timeout: lockWaitS }
  const names = Object.keys({ ...pinned, ...WISHED }).map((name) => quoteText(name))
  const known = await ask(client, `SHOW SESSION VARIABLES WHERE Variable_name IN (${names.join(', ')})`)
  const knownNames = new Set(known.map((row) => textOf(row, 'Variable_name').toLowerCase()))
  const knownOf = (settings: Settings) => Object.entries(settings).filter(([name]) => knownNames.has(name))
  await set(client, knownOf(pinned))
  try {
    await set(client, knownOf(WISHED))
  } catch (error) {
    if (!isServerError(error)) throw error
    for (const wish of knownOf(WISHED)) await set(client, [wish]).catch(ignoreRefusal)
  }
}

async function set(
  client: Connection,
  settings: readonly (readonly [string, string | number])[],
): Promise<void> {
  await ask(client, `SET ${settings.map(([name, value]) => `SESSION ${name} = ${value}`).join(', ')}`)
}

function ignoreRefusal(error: unknown): void {
  if (!isServerError(error)) throw error
}

function textOf(row: unknown, name: string): string {
  // a row of the library is an object of its columns
  const columns: Readonly<Record<string, unknown>> = typeof row === 'object' && row !== null ? { ...row } : {}
  return String(columns[name] ?? '')
}
