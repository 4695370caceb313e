import type { ErrorCode } from '@holdfast/core'
import Database from 'better-sqlite3'
import type { HelperFailureShape } from '../protocol.ts'

/** A foreseen failure inside a helper process; the driver turns it into an AppError. */
export class HelperFailure extends Error implements HelperFailureShape {
  readonly code: ErrorCode
  readonly hint: string | null

  constructor(code: ErrorCode, message: string, hint: string | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HelperFailure'
    this.code = code
    this.hint = hint
  }
}

interface Meaning {
  readonly code: ErrorCode
  readonly text: string
  readonly hint: string | null
}

const LOCKED: Meaning = {
  code: 'DATABASE_LOCKED',
  text: 'another process holds a lock on the database',
  hint: 'try again when the transaction or maintenance that holds it has ended',
}
const CORRUPT: Meaning = {
  code: 'DATABASE_CORRUPT',
  text: 'the database is damaged',
  hint: "run 'PRAGMA integrity_check' on it, and restore the newest good backup",
}
const DENIED: Meaning = {
  code: 'DATABASE_ACCESS_DENIED',
  text: 'the file or its directory may not be used as a database needs it',
  hint: 'give the account of this process read and write access to the file, its directory, and its -wal and -shm files',
}
const SPACE: Meaning = {
  code: 'TEMPORARY_SPACE_FULL',
  text: 'no space is left where the data has to be written',
  hint: 'free space on that file system, then try again',
}
const UNREADABLE: Meaning = {
  code: 'TARGET_UNREACHABLE',
  text: 'the file system failed to read or write',
  hint: "look at the system's log for errors of the disk or of the network file system",
}

/** By how SQLite's result code begins; the first match wins. */
const SQLITE_MEANINGS: readonly (readonly [prefix: string, Meaning])[] = [
  ['SQLITE_BUSY', LOCKED],
  ['SQLITE_LOCKED', LOCKED],
  ['SQLITE_PROTOCOL', LOCKED],
  ['SQLITE_CORRUPT', CORRUPT],
  ['SQLITE_NOTADB', { code: 'DATABASE_INVALID', text: 'the file is not an SQLite database', hint: null }],
  ['SQLITE_CANTOPEN', DENIED],
  ['SQLITE_READONLY', DENIED],
  ['SQLITE_PERM', DENIED],
  ['SQLITE_AUTH', DENIED],
  ['SQLITE_FULL', SPACE],
  ['SQLITE_IOERR_SHMSIZE', SPACE],
  ['SQLITE_IOERR', UNREADABLE],
]

const SYSTEM_MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOENT: { code: 'DATABASE_NOT_FOUND', text: 'there is no such file', hint: null },
  ENOTDIR: { code: 'DATABASE_NOT_FOUND', text: 'a part of the path is not a directory', hint: null },
  ENAMETOOLONG: {
    code: 'DATABASE_INVALID',
    text: 'the name is longer than the file system allows',
    hint: null,
  },
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  ENOSPC: SPACE,
  EDQUOT: SPACE,
  EFBIG: SPACE,
  EIO: UNREADABLE,
  ESTALE: UNREADABLE,
}

/** Says in words what SQLite or the system meant; anything unforeseen is returned as it is. `where` names the file. */
export function explain(error: unknown, where: string): unknown {
  if (error instanceof HelperFailure) return error
  const meaning = meaningOf(error)
  if (meaning === undefined) return error
  return new HelperFailure(meaning.code, `${where}: ${meaning.text} (${codeOf(error)})`, meaning.hint, error)
}

/** SQLite's or the system's code of an error, e.g. `SQLITE_BUSY` or `ENOENT`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** True for an error of SQLite whose code begins so. */
export function isSqliteError(error: unknown, prefix: string): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith(prefix)
}

function meaningOf(error: unknown): Meaning | undefined {
  const code = codeOf(error)
  if (!(error instanceof Database.SqliteError)) return SYSTEM_MEANINGS[code]
  return SQLITE_MEANINGS.find(([prefix]) => code.startsWith(prefix))?.[1]
}
