import type { Stats } from 'node:fs'
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core/domain'
import Sqlite from 'better-sqlite3'
import { isBusy, translateSqlite } from './sqlite-engine.ts'

/** SQLite itself does not wait for locks, which would stop the thread: we do. */
const INNER_BUSY_MS = 0
const POLL_MS = 5

/**
 * Opens the catalog file, which only its owner may read. It is made unless `mustExist`, which is for opening again:
 * a file that has gone is not replaced by an empty one.
 */
export async function openSqliteFile(
  file: string,
  options: { readonly mustExist: boolean; readonly deadlineMs: number },
): Promise<Sqlite.Database> {
  try {
    prepareFile(file, options.mustExist)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('CATALOG_UNAVAILABLE', 'the catalog file cannot be reached or made', {
      hint: 'check the path in HOLDFAST_CATALOG_URL, and that this user may write there',
      cause: error,
    })
  }
  for (;;) {
    try {
      return connect(file)
    } catch (error) {
      if (!isBusy(error) || performance.now() > options.deadlineMs) throw translateSqlite(error) ?? error
      await sleep(POLL_MS)
    }
  }
}

function connect(file: string): Sqlite.Database {
  const connection = new Sqlite(file, { fileMustExist: true, timeout: INNER_BUSY_MS })
  try {
    configure(connection)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** What tells this file from another one that was put in its place; null if there is none. */
export function fileIdentity(file: string): string | null {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`
}

function prepareFile(file: string, mustExist: boolean): void {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats === undefined && mustExist) {
    throw new AppError('CATALOG_UNAVAILABLE', 'the catalog file has gone', {
      hint: 'put it back, or stop all processes and start with a new catalog',
    })
  }
  if (stats !== undefined && !stats.isFile()) {
    throw new AppError('INVALID_CONFIGURATION', 'the path of the catalog is not a file', {
      hint: 'check the path in HOLDFAST_CATALOG_URL',
    })
  }
  if (stats === undefined) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // SQLite gives its log the mode of the database
    closeSync(openSync(file, 'a', 0o600))
    return
  }
  narrowMode(file, stats)
}

function narrowMode(file: string, stats: Stats): void {
  const isOurs = process.getuid?.() === stats.uid
  if (isOurs && (stats.mode & 0o077) !== 0) chmodSync(file, 0o600)
}

function configure(connection: Sqlite.Database): void {
  const mode = connection.pragma('journal_mode = wal', { simple: true })
  if (mode !== 'wal') {
    throw new AppError(
      'CATALOG_UNAVAILABLE',
      'the file system of the catalog cannot carry a write-ahead log',
      {
        hint: 'put the catalog on a local disk, or use PostgreSQL',
      },
    )
  }
  // an accepted request survives a power cut
  connection.pragma('synchronous = full')
  connection.pragma('foreign_keys = on')
  connection.pragma('trusted_schema = off')
  connection.pragma(`journal_size_limit = ${64 * 1024 * 1024}`)
}
