import type { Clock } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import { sql } from 'kysely'
import type { Engine } from '../sql/engine.ts'
import { oneRunningOnly, toRefusal } from '../sql/refusal.ts'
import { retryDelayMs } from '../sql/session.ts'
import { isConnectionTrouble } from './postgres-pool.ts'

/** Any number will do, as long as nothing else in this database uses it. */
const MIGRATION_LOCK = 0x686f6c64

/** PostgreSQL: rows are locked where they are judged, and leases are measured by the server's clock. */
export function createPostgresEngine(leaseClock: Clock | null): Engine {
  return {
    name: 'postgres',
    schema: {
      serial: 'bigint generated always as identity primary key',
      prelude: [
        `create function catalog_refuse() returns trigger language plpgsql as $$
          begin raise exception '%', tg_argv[0]; end $$`,
      ],
      refusal: (message) => `execute function catalog_refuse('${message}')`,
      dropTrigger: (name, table) => `drop trigger ${name} on ${table}`,
    },
    lockRows: true,
    leaseNow: () =>
      leaseClock === null
        ? sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`
        : sql<number>`cast(${leaseClock.now()} as bigint)`,
    label: (column, key) => sql<string | null>`cast(${sql.ref(column)} as json) ->> ${key}`,
    async tableNames(db) {
      const { rows } = await sql<{ name: string }>`select tablename as name from pg_tables
        where schemaname = current_schema()`.execute(db)
      return rows.map((row) => row.name)
    },
    async lockMigrations(trx) {
      const { rows } = await sql<{ locked: boolean }>`
        select pg_try_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)}) as locked`.execute(trx)
      return rows[0]?.locked === true
    },
    retryAfterMs(error, attempt) {
      const code = sqlState(error)
      return code !== null && RETRIED.includes(code) ? retryDelayMs(attempt) : null
    },
    translate,
  }
}

/** Serialization failure, deadlock: the transaction was chosen to give way. */
const RETRIED: readonly string[] = ['40001', '40P01']

interface Meaning {
  readonly message: string
  readonly hint: string
}

/** By SQLSTATE or by its class, the first two characters. The rest are bugs. */
const UNAVAILABLE: Readonly<Record<string, Meaning>> = {
  '08': {
    message: 'the connection to the catalog server was lost',
    hint: 'what was asked may or may not have been done: look before you ask again',
  },
  '25006': { message: 'the catalog server is read-only', hint: 'point HOLDFAST_CATALOG_URL at the primary' },
  '25P03': { message: 'a transaction stood still for too long', hint: 'look at the load of this machine' },
  '28': {
    message: 'the catalog server refused the login',
    hint: 'check user and password in HOLDFAST_CATALOG_URL',
  },
  '3D': {
    message: 'the database of the catalog does not exist',
    hint: 'create it, or correct HOLDFAST_CATALOG_URL',
  },
  '40': { message: 'the catalog server is too busy', hint: 'try again shortly' },
  '42501': {
    message: 'the catalog server refused access',
    hint: 'make the user the owner of the catalog database',
  },
  '53': {
    message: 'the catalog server is out of resources',
    hint: 'look at its connections and its memory',
  },
  '53100': { message: 'the disk of the catalog server is full', hint: 'free space on the server' },
  '55P03': {
    message: 'a lock in the catalog was not to be had in time',
    hint: 'look for transactions left open on the server',
  },
  '57': { message: 'the catalog server is stopping or starting', hint: 'wait until it is back' },
  '57014': {
    message: 'the catalog server took too long',
    hint: 'look at its load and for transactions left open',
  },
  '58': { message: 'the catalog server has trouble with its disk', hint: 'look at its log' },
  XX001: { message: 'the catalog is corrupt', hint: 'look at the log of the server' },
  XX002: { message: 'the catalog is corrupt', hint: 'look at the log of the server' },
}

function translate(error: unknown): AppError | null {
  if (!(error instanceof Error)) return null
  const code = sqlState(error)
  if (code === null) {
    if (!isConnectionTrouble(error)) return null
    return new AppError('CATALOG_UNAVAILABLE', 'the catalog server cannot be reached', {
      hint: 'check that PostgreSQL runs and that HOLDFAST_CATALOG_URL names it',
      cause: error,
    })
  }
  if (code === 'P0001') return toRefusal(error.message, error)
  if (code === '23505' && 'constraint' in error && error.constraint === 'operations_running') {
    return oneRunningOnly(error)
  }
  // NUL in a text, which SQLite can hold and PostgreSQL cannot
  if (code === '22021' || code === '22P05') {
    return new AppError('INVALID_REQUEST', 'a text holds characters that cannot be stored', { cause: error })
  }
  const meaning = UNAVAILABLE[code] ?? UNAVAILABLE[code.slice(0, 2)]
  if (meaning === undefined) return null
  return new AppError('CATALOG_UNAVAILABLE', meaning.message, { hint: meaning.hint, cause: error })
}

/** The SQLSTATE of an error that the server sent; null for every other error. */
function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return 'severity' in error && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null
}
