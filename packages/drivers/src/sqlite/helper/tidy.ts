import { rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { FileAccess } from '../protocol.ts'
import { Descriptors } from './descriptors.ts'
import { headerOf } from './destination.ts'
import { explain, isSqliteError } from './failure.ts'
import type { JobLink } from './link.ts'
import { locateExisting, lstatOrNull } from './locate-file.ts'
import { harden, touch } from './open-source.ts'
import { sqlitePath } from './sqlite-path.ts'

/** What must not be closed: closing a connection would copy the log into the database. */
const leftOpen: unknown[] = []

/**
 * Removes the -wal and -shm files that reading a WAL database had to create, by SQLite's own rules: nothing happens if
 * another process uses the database by now. Returns true if this process must be killed rather than used again.
 */
export function tidy(input: FileAccess & { readonly keepWal: boolean }, link: JobLink): boolean {
  link.opened()
  const { realPath } = locateExisting(input)
  // only a WAL database can have been given these files: beside anything else they are somebody's
  if (headerOf(realPath)?.isWal !== true) return false
  const descriptors = new Descriptors()
  try {
    const path = sqlitePath(realPath, descriptors.open(realPath))
    if (!input.keepWal) return removeEmptyLog(path)
    leftOpen.push(descriptors)
    return removeIndex(path, realPath)
  } catch (error) {
    if (isSqliteError(error, 'SQLITE_BUSY') || isSqliteError(error, 'SQLITE_LOCKED')) return input.keepWal
    throw explain(error, realPath)
  } finally {
    if (!leftOpen.includes(descriptors)) descriptors.closeAll()
  }
}

/** The last connection that may write removes both files when it closes. There was no log, so none can be lost. */
function removeEmptyLog(path: string): boolean {
  const connection = new Database(path, { fileMustExist: true, timeout: 0 })
  try {
    harden(connection)
    touch(connection)
  } finally {
    connection.close()
  }
  return false
}

/**
 * There was a log without an index: somebody's unfinished business, which must stay as it is. An exclusive lock proves
 * that nobody uses the index; closing the connection would check-point the log, so the process ends without.
 */
function removeIndex(path: string, realPath: string): boolean {
  const connection = new Database(path, { fileMustExist: true, timeout: 0 })
  leftOpen.push(connection)
  connection.pragma('locking_mode = EXCLUSIVE')
  touch(connection)
  if (lstatOrNull(`${realPath}-wal`) !== null) rmSync(`${realPath}-shm`, { force: true })
  return true
}
