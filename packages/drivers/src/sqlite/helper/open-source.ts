import { fstatSync } from 'node:fs'
import type { Database as Connection } from 'better-sqlite3'
import Database from 'better-sqlite3'
import type { FileAccess, FileIdentity } from '../protocol.ts'
import { readHeader } from './database-header.ts'
import { Descriptors } from './descriptors.ts'
import { explain, HelperFailure, isSqliteError } from './failure.ts'
import { identityOf, isSameFile, locateExisting, lstatOrNull } from './locate-file.ts'
import { sqlitePath } from './sqlite-path.ts'

/** A database opened for reading only, with the descriptor that its pages are read through. */
export interface OpenSource extends Disposable {
  readonly realPath: string
  readonly connection: Connection
  readonly file: number
  readonly descriptors: Descriptors
}

/**
 * Opens the database and reads from it once, so that locks, damage and missing rights show at once. Disposing closes
 * the connection first and every descriptor after it.
 */
export function openSource(access: FileAccess): OpenSource {
  const { realPath, stat } = locateExisting(access)
  const opened = openReadOnly(realPath, identityOf(stat), access.lockWaitMs)
  if (readHeader(opened.file) !== null) return opened
  // a file of a single byte is an empty database to SQLite, though it can be none that anybody has used
  opened[Symbol.dispose]()
  throw new HelperFailure('DATABASE_INVALID', `${realPath} does not begin as an SQLite database does`)
}

/** Null if a crash left a journal that must be rolled back first. */
export function openUnlessHot(access: FileAccess): OpenSource | null {
  return nullIfHot(() => openSource(access))
}

/** What `open` returns, or null if a crash left a journal that must be rolled back first. */
export function nullIfHot(open: () => OpenSource): OpenSource | null {
  try {
    return open()
  } catch (error) {
    const cause = error instanceof HelperFailure ? error.cause : error
    if (isSqliteError(cause, 'SQLITE_READONLY_ROLLBACK')) return null
    throw error
  }
}

/** As {@link openSource}, for a file that the path policy has let pass. */
export function openReadOnly(realPath: string, identity: FileIdentity, lockWaitMs: number): OpenSource {
  const descriptors = new Descriptors()
  const closing: (() => void)[] = [() => descriptors.closeAll()]
  const dispose = () => {
    for (const close of closing.splice(0).reverse()) close()
  }
  try {
    const file = descriptors.open(realPath)
    const options = { readonly: true, fileMustExist: true, timeout: lockWaitMs }
    const connection = new Database(sqlitePath(realPath, file), options)
    closing.push(() => connection.close())
    harden(connection)
    touch(connection)
    // whoever may write to the directory could have put another file there since it was looked at
    const now = lstatOrNull(realPath)
    const opened = fstatSync(file, { bigint: true })
    if (now === null || !isSameFile(now, identity) || !isSameFile(opened, identity)) {
      throw new HelperFailure('DATABASE_INVALID', `${realPath} was replaced while it was opened`)
    }
    return { realPath, connection, file, descriptors, [Symbol.dispose]: dispose }
  } catch (error) {
    dispose()
    throw explain(error, realPath)
  }
}

/** A schema may have been written by anyone: nothing in it is to run code or to make work. */
export function harden(connection: Connection): void {
  connection.pragma('trusted_schema = OFF')
  connection.pragma('cache_size = -8000')
  connection.pragma('foreign_keys = OFF')
}

/** Reads page 1, which takes the locks and meets the errors that any reading would. */
export function touch(connection: Connection): void {
  connection.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get()
}

/** Begins a read transaction: what this connection sees stands still until it ends. */
export function pin(connection: Connection): void {
  connection.exec('BEGIN')
  touch(connection)
}

/** Ends a read transaction. */
export function unpin(connection: Connection): void {
  if (connection.inTransaction) connection.exec('ROLLBACK')
}
