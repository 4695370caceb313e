import type { Database as Connection } from 'better-sqlite3'
import Database from 'better-sqlite3'
import type { FileIdentity } from '../protocol.ts'
import { readPage1 } from './copy-pages.ts'
import { Descriptors } from './descriptors.ts'
import { HelperFailure, isSqliteError } from './failure.ts'
import { identityOf, lstatOrNull } from './locate-file.ts'
import type { OpenSource } from './open-source.ts'
import { harden, nullIfHot, openReadOnly, touch } from './open-source.ts'
import { pinState } from './pin-state.ts'
import { sqlitePath } from './sqlite-path.ts'

/** A database at the destination of a restore. */
export interface LiveDatabase {
  readonly realPath: string
  readonly lockWaitMs: number
}

/** Opens it for reading; what a crash left in it is rolled back first, as whoever opens it next would do. */
export function openLive({ realPath, lockWaitMs }: LiveDatabase): OpenSource {
  const opened = nullIfHot(() => openReadOnly(realPath, identityAt(realPath), lockWaitMs))
  if (opened !== null) return opened
  withWritable({ realPath, lockWaitMs }, touch)
  return openReadOnly(realPath, identityAt(realPath), lockWaitMs)
}

/** Page 1 of the newest state; null for a file without one, or if it cannot be read past SQLite. */
export function newestPage1(live: LiveDatabase): Buffer | null {
  using opened = openLive(live)
  const { pages } = pinState(opened, () => 0)
  return pages === null || pages.pageCount === 0 ? null : readPage1(pages)
}

/** Runs `work` on a connection that may write. Closing it is the last thing done with the file. */
export function withWritable<Result>(
  { realPath, lockWaitMs }: LiveDatabase,
  work: (connection: Connection) => Result,
): Result {
  const descriptors = new Descriptors()
  try {
    const path = sqlitePath(realPath, descriptors.open(realPath))
    const connection = new Database(path, { fileMustExist: true, timeout: lockWaitMs })
    try {
      harden(connection)
      return work(connection)
    } finally {
      connection.close()
    }
  } finally {
    descriptors.closeAll()
  }
}

/**
 * A WAL database cannot change its page size. Leaving WAL mode needs every other connection to be closed; whoever
 * opens the database afterwards is welcome.
 */
export function leaveWal(live: LiveDatabase): void {
  const isLeft = withWritable(live, (connection) => changeMode(connection, 'delete'))
  if (isLeft) return
  throw new HelperFailure(
    'DATABASE_LOCKED',
    'the backup has another page size than the destination, which is in WAL mode and open in other processes',
    'stop the processes that have the database open, or restore to another path; nothing was changed',
  )
}

/** Back to WAL mode. False if that cannot be done now. */
export function enterWal(live: LiveDatabase): boolean {
  try {
    return withWritable(live, (connection) => changeMode(connection, 'wal'))
  } catch {
    // the content is right in either mode; the caller says so
    return false
  }
}

function changeMode(connection: Connection, mode: 'wal' | 'delete'): boolean {
  try {
    return connection.pragma(`journal_mode = ${mode}`, { simple: true }) === mode
  } catch (error) {
    if (isSqliteError(error, 'SQLITE_BUSY') || isSqliteError(error, 'SQLITE_LOCKED')) return false
    throw error
  }
}

function identityAt(realPath: string): FileIdentity {
  const stat = lstatOrNull(realPath)
  if (stat !== null) return identityOf(stat)
  throw new HelperFailure('DATABASE_NOT_FOUND', `${realPath} has gone away`)
}
