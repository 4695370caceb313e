import type { BigIntStats } from 'node:fs'
import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LONGEST_PATH } from '../file-names.ts'
import type { FileAccess, FileIdentity } from '../protocol.ts'
import { codeOf, explain, HelperFailure } from './failure.ts'

/** A place for a database that may be used. */
export interface LocatedFile {
  /** Directories resolved, so that two paths of one file are equal here. */
  readonly realPath: string
  /** Null if nothing is there. Never a link, a directory, a FIFO or anything but a file with one name. */
  readonly stat: BigIntStats | null
}

/**
 * Applies the path policy without opening anything: the real path lies below an allowed root, and whatever is there
 * is a regular file with a single name. `ownLinks`: files that a swap of ours may have given a second name.
 */
export function locateFile(
  access: Pick<FileAccess, 'path' | 'roots'>,
  ownLinks: (realPath: string) => readonly FileIdentity[] = () => [],
): LocatedFile {
  const { path, roots } = access
  const directory = resolveDirectory(dirname(path))
  const realPath = join(directory.realPath, basename(path))
  if (!isAllowed(realPath, roots)) throw notAllowed()
  if (!directory.exists) return { realPath, stat: null }
  const stat = lstatOrNull(realPath)
  if (stat === null) return { realPath, stat: null }
  refuseUnlessPlainFile(realPath, stat, roots, ownLinks)
  if (Buffer.byteLength(realPath) > LONGEST_PATH) {
    throw new HelperFailure(
      'DATABASE_INVALID',
      `the path is longer than the ${LONGEST_PATH} bytes that SQLite opens`,
    )
  }
  return { realPath, stat }
}

/** Like {@link locateFile}, for a database that has to be there. */
export function locateExisting(access: Pick<FileAccess, 'path' | 'roots'>): Required<LocatedFile> & {
  readonly stat: BigIntStats
} {
  const { realPath, stat } = locateFile(access)
  if (stat === null) {
    throw new HelperFailure(
      'DATABASE_NOT_FOUND',
      `there is no file ${realPath}`,
      'correct the path of the target',
    )
  }
  if (stat.size === 0n) {
    throw new HelperFailure(
      'DATABASE_EMPTY',
      `${realPath} is empty (0 bytes)`,
      'an SQLite database has at least one page: the path may be mistyped, or the file was lost',
    )
  }
  return { realPath, stat }
}

/** What tells one file from another, under whatever name. */
export function identityOf(stat: BigIntStats): FileIdentity {
  return { device: String(stat.dev), inode: String(stat.ino) }
}

/** True if both are the same file. */
export function isSameFile(stat: BigIntStats, identity: FileIdentity): boolean {
  return String(stat.dev) === identity.device && String(stat.ino) === identity.inode
}

/** Null if nothing has that name. */
export function lstatOrNull(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw explain(error, path)
  }
}

function refuseUnlessPlainFile(
  realPath: string,
  stat: BigIntStats,
  roots: readonly string[],
  ownLinks: (realPath: string) => readonly FileIdentity[],
): void {
  if (stat.isSymbolicLink()) refuseLink(realPath, roots)
  if (!stat.isFile()) {
    throw new HelperFailure('DATABASE_INVALID', `${realPath} is ${kindOf(stat)}, not a regular file`)
  }
  if (stat.nlink > 1n && !ownLinks(realPath).some((own) => isSameFile(stat, own))) {
    throw new HelperFailure(
      'DATABASE_INVALID',
      `${realPath} has ${stat.nlink} names (hard links)`,
      'opened under two names, SQLite keeps two journals and damages the database: remove the other name',
    )
  }
}

function refuseLink(realPath: string, roots: readonly string[]): never {
  let target: string
  try {
    target = realpathSync.native(realPath)
  } catch (error) {
    throw new HelperFailure(
      'DATABASE_INVALID',
      `${realPath} is a symbolic link that leads nowhere`,
      null,
      error,
    )
  }
  if (!isAllowed(target, roots)) throw notAllowed()
  throw new HelperFailure(
    'DATABASE_INVALID',
    `${realPath} is a symbolic link`,
    'register the file that the link leads to, under its own path',
  )
}

function kindOf(stat: BigIntStats): string {
  if (stat.isDirectory()) return 'a directory'
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  return 'a device'
}

/** The deepest existing part resolved, so that nothing outside the roots is confirmed or denied to exist. */
function resolveDirectory(path: string): { readonly realPath: string; readonly exists: boolean } {
  try {
    // not the JavaScript version, which drops `x/..` before it knows whether x is a link
    return { realPath: realpathSync.native(path), exists: true }
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw new HelperFailure('DATABASE_INVALID', `${path} is a loop of links`)
    if (!['ENOENT', 'ENOTDIR'].includes(codeOf(error))) throw explain(error, path)
    if (path === dirname(path)) throw error
    return { realPath: join(resolveDirectory(dirname(path)).realPath, basename(path)), exists: false }
  }
}

function isAllowed(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => {
    const { realPath } = resolveDirectory(root)
    return path.startsWith(realPath.endsWith('/') ? realPath : `${realPath}/`)
  })
}

function notAllowed(): HelperFailure {
  return new HelperFailure(
    'PATH_NOT_ALLOWED',
    'the file lies outside the directories that databases may lie in',
    'list its directory in HOLDFAST_PATH_ROOTS, links followed',
  )
}
