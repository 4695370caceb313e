import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'

/** What SQLite itself keeps beside a database. */
export const SIDE_SUFFIXES = ['-wal', '-shm', '-journal'] as const

/** Longest name that common file systems accept, in bytes, less the longest suffix of {@link SIDE_SUFFIXES}. */
const LONGEST_NAME = 255 - '-journal'.length

/** Longest path that SQLite opens, in bytes: its buffer of 512 has to hold the path and the longest suffix. */
export const LONGEST_PATH = 512 - '-journal'.length

const OPERATION_ID = /^[A-Za-z0-9_-]{1,64}$/

/** Files that one restore puts beside its destination: all in its directory, so that renames are atomic. */
export interface RestoreFiles {
  /** The new database, before it is brought into place. */
  readonly staged: string
  /** A copy of the old one that is still being written. */
  readonly asidePart: string
  /**
   * The old one, complete. Further names are for when it cannot be told whether an interrupted swap had happened, so
   * that neither copy may be overwritten.
   */
  readonly asides: readonly [string, ...string[]]
}

/** Null for an operation id that cannot be part of a file name. */
export function restoreFiles(realPath: string, operationId: string): RestoreFiles | null {
  if (!OPERATION_ID.test(operationId)) return null
  const name = (prefix: string, suffix: string) => sibling(realPath, prefix, suffix)
  return {
    staged: name('.', `.holdfast-${operationId}.staged`),
    asidePart: name('.', `.holdfast-${operationId}.aside-part`),
    asides: [
      name('', `.replaced-${operationId}`),
      name('', `.replaced-${operationId}-2`),
      name('', `.replaced-${operationId}-3`),
      name('', `.replaced-${operationId}-4`),
    ],
  }
}

function sibling(path: string, prefix: string, suffix: string): string {
  const base = basename(path)
  const wanted = `${prefix}${base}${suffix}`
  const full = join(dirname(path), wanted)
  if (Buffer.byteLength(wanted) <= LONGEST_NAME && Buffer.byteLength(full) <= LONGEST_PATH) return full
  const short = createHash('sha256').update(base).digest('hex').slice(0, 16)
  return join(dirname(path), `${prefix}holdfast-${short}${suffix}`)
}
