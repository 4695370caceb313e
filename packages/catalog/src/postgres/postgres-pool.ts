import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import pg from 'pg'

/** Settings of the connections of one process. */
export interface PoolOptions {
  readonly url: string
  /** How long a statement waits for a row that somebody else has locked. */
  readonly lockTimeoutMs: number
  readonly logger: Logger | null
}

const CONNECT_MS = 5_000
/** Beyond the time that a statement may wait for locks. */
const STATEMENT_MS = 4_000
/** Beyond that: a server that answers no more, not even with an error. */
const SILENCE_MS = 2_000
/** A frozen process does not keep rows locked for longer than others are ready to wait. */
const IDLE_IN_TRANSACTION_MS = 3_000
/** Ten processes stay below the hundred connections that a server allows by default. */
const MOST_CONNECTIONS = 6
const CLOSE_MS = 5_000

/** A pool that lives through the death of its server, and drops every connection that is in doubt. */
export function createPostgresPool(options: PoolOptions): PostgresPool {
  const pool = new pg.Pool(poolConfig(options))
  const report = (error: Error) => options.logger?.warn({ err: error }, 'catalog connection lost')
  pool.on('error', report)
  // a client that is in use says this by itself, and nobody listening would end the process
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    options: pool.options,
    async connect() {
      return guard(await pool.connect())
    },
    async end() {
      const ended = pool.end().then(() => 'ended')
      // a server that answers no more does not say good-bye either
      if ((await Promise.race([ended, sleep(CLOSE_MS, 'late', { ref: false })])) === 'ended') return
      options.logger?.warn({}, 'catalog connections left open')
    },
  }
}

function poolConfig(options: PoolOptions): pg.PoolConfig {
  const types = new pg.TypeOverrides()
  // counts, fences and epoch ms are far below 2^53
  types.setTypeParser(pg.types.builtins.INT8, Number)
  types.setTypeParser(pg.types.builtins.NUMERIC, Number)
  const config: pg.PoolConfig = {
    connectionString: withLibpqMeaning(options.url),
    types,
    max: MOST_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: options.lockTimeoutMs + STATEMENT_MS + SILENCE_MS,
    statement_timeout: options.lockTimeoutMs + STATEMENT_MS,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'holdfast',
    // an open catalog alone does not keep the process alive
    allowExitOnIdle: true,
  }
  requireValid(config)
  return config
}

/** pg gives `sslmode` meanings of its own and warns of it at each start; this is what psql means by it. */
function withLibpqMeaning(text: string): string {
  const url = URL.parse(text)
  if (url === null || !url.searchParams.has('sslmode') || url.searchParams.has('uselibpqcompat')) return text
  url.searchParams.set('uselibpqcompat', 'true')
  return url.href
}

/** Says now what would otherwise be said at the first query: nothing connects here. */
function requireValid(config: pg.PoolConfig): void {
  try {
    new pg.Client(config)
  } catch {
    // the error may repeat the URL with its password
    throw new AppError('INVALID_CONFIGURATION', 'the catalog URL is not one that PostgreSQL understands', {
      hint: 'HOLDFAST_CATALOG_URL looks like postgres://user:password@host:5432/database?sslmode=verify-full',
    })
  }
}

/** Remembers trouble, so that neither a rollback nor the next user of this connection runs into it. */
function guard(client: pg.PoolClient): PostgresPoolClient {
  let trouble: Error | null = null
  const query = async (text: string, parameters: readonly unknown[]) => {
    if (trouble !== null) throw trouble
    try {
      return await client.query(text, [...parameters])
    } catch (error) {
      if (error instanceof Error && isConnectionTrouble(error)) trouble = error
      throw error
    }
  }
  const release = (destroy?: boolean) => client.release(destroy === true || trouble !== null)
  // the one other form of query is for cursors, which are not used here
  return Object.assign(Object.create(client), { query, release })
}

/** True if the error came from the way to the server, or if the way is in doubt after it. */
export function isConnectionTrouble(error: Error): boolean {
  if ('code' in error && typeof error.code === 'string') {
    // SQLSTATE classes 08 and 57P: connection lost, server going down; others are answers to one statement
    return 'severity' in error
      ? /^(08|57P|25P03)/.test(error.code)
      : /^(E[A-Z]{2,}|ERR_|CERT_|DEPTH_|SELF_|UNABLE_)/.test(error.code)
  }
  return /connection|timeout|terminated|not queryable|SASL|SSL/i.test(error.message)
}
