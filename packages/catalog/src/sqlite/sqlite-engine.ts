import { AppError } from '@holdfast/core/domain'
import { sql } from 'kysely'
import type { Engine } from '../sql/engine.ts'
import { oneRunningOnly, toRefusal } from '../sql/refusal.ts'

/** What the engine is told anew for each call. */
export interface SqliteMoment {
  /** Epoch ms that leases are measured by. */
  leaseNowMs(): number
  /** Until when (on the clock of `performance`) it is worth waiting for other writers. */
  readonly deadlineMs: number
}

/** SQLite: one writer at a time in all processes, and no clock of its own. */
export function createSqliteEngine(moment: SqliteMoment): Engine {
  return {
    name: 'sqlite',
    schema: {
      serial: 'integer primary key autoincrement',
      prelude: [],
      refusal: (message) => `begin select raise(abort, '${message}'); end`,
      dropTrigger: (name) => `drop trigger ${name}`,
    },
    lockRows: false,
    leaseNow: () => sql<number>`${moment.leaseNowMs()}`,
    label: (column, key) =>
      sql<string | null>`(select value from json_each(${sql.ref(column)}) where key = ${key})`,
    async tableNames(db) {
      const { rows } = await sql<{ name: string }>`select name from sqlite_schema
        where type = 'table' and name not like 'sqlite_%'`.execute(db)
      return rows.map((row) => row.name)
    },
    // a write transaction is the only one there is
    lockMigrations: async () => true,
    retryAfterMs: (error, attempt) =>
      isBusy(error) && performance.now() < moment.deadlineMs
        ? Math.ceil(Math.random() * Math.min(attempt, 10))
        : null,
    translate: translateSqlite,
  }
}

/** True for an error that waiting for other connections may cure. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  // SQLITE_PROTOCOL: too many connections opened the write-ahead log at the same moment
  return code !== null && (isOf(code, 'SQLITE_BUSY') || isOf(code, 'SQLITE_PROTOCOL'))
}

function catalogLocked(cause: unknown): AppError {
  return unavailable('the catalog is locked by another process', {
    hint: 'look for a process that keeps a transaction open on the catalog file, such as an sqlite3 shell',
    cause,
  })
}

interface Meaning {
  readonly message: string
  readonly hint: string
}

/** By primary result code. The rest are bugs. */
const UNAVAILABLE: Readonly<Record<string, Meaning>> = {
  SQLITE_FULL: {
    message: 'there is no space left for the catalog',
    hint: 'free space in the directory of the catalog file',
  },
  SQLITE_IOERR: {
    message: 'the catalog file could not be read or written',
    hint: 'look at the disk and at the system log',
  },
  SQLITE_CORRUPT: {
    message: 'the catalog file is corrupt',
    hint: 'stop all processes, keep a copy of the file, and put a good copy of the catalog in its place',
  },
  SQLITE_CANTOPEN: {
    message: 'the catalog file could not be opened',
    hint: 'check the path in HOLDFAST_CATALOG_URL and who may read and write there',
  },
  SQLITE_READONLY: {
    message: 'the catalog file cannot be written',
    hint: 'give this user write access to the catalog file and to its directory',
  },
  SQLITE_PERM: {
    message: 'access to the catalog file was refused',
    hint: 'give this user read and write access to the catalog file and to its directory',
  },
}

/** What an error of SQLite means; null for any other error, and for bugs. */
export function translateSqlite(error: unknown): AppError | null {
  const code = sqliteCode(error)
  if (code === null || !(error instanceof Error)) return null
  if (isBusy(error)) return catalogLocked(error)
  if (code === 'SQLITE_CONSTRAINT_TRIGGER') return toRefusal(error.message, error)
  if (isOf(code, 'SQLITE_CONSTRAINT') && error.message.includes('operations.lock_key'))
    return oneRunningOnly(error)
  if (isOf(code, 'SQLITE_NOTADB')) {
    return new AppError('CATALOG_MISMATCH', 'the catalog file is not an SQLite database', {
      hint: 'check the path in HOLDFAST_CATALOG_URL',
      cause: error,
    })
  }
  const meaning = Object.entries(UNAVAILABLE).find(([primary]) => isOf(code, primary))?.[1]
  return meaning === undefined ? null : unavailable(meaning.message, { hint: meaning.hint, cause: error })
}

function unavailable(message: string, options: { hint: string; cause: unknown }): AppError {
  return new AppError('CATALOG_UNAVAILABLE', message, options)
}

/** True for the primary code itself and for its extended codes. */
function isOf(code: string, primary: string): boolean {
  return code === primary || code.startsWith(`${primary}_`)
}

function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return error.code.startsWith('SQLITE_') ? error.code : null
}
