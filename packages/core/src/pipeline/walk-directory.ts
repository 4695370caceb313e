import { isUtf8 } from 'node:buffer'
import type { BigIntStats } from 'node:fs'
import { constants, existsSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { AppError, throwIfAborted } from '../errors.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** Linux lets a path begin at an open directory, so that nobody can swap a part of it for a link meanwhile. */
const PATHS_BY_DESCRIPTOR = existsSync('/proc/self/fd')

/** Something found in a directory. `path` opens it, only until the next one is asked for. */
export interface FoundEntry {
  readonly kind: 'directory' | 'file' | 'symlink' | 'special'
  /** From the root, without a leading `/`; empty for the root itself. */
  readonly relative: string
  readonly path: string
  readonly stat: BigIntStats
}

/**
 * Everything below a directory but what is to be skipped, parents first, sorted, links not followed. Rejects with FILES_CHANGED if
 * something vanishes or is exchanged meanwhile, PATH_NOT_ALLOWED if something may not be read, and INVALID_REQUEST
 * for names that are not UTF-8.
 */
export async function* walkDirectory(
  root: string,
  skip: (relative: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<FoundEntry> {
  yield* walk({ path: root, relative: '', root }, skip, signal)
}

interface Place {
  readonly path: string
  readonly relative: string
  readonly root: string
}

async function* walk(
  place: Place,
  skip: (relative: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<FoundEntry> {
  throwIfAborted(signal)
  const handle = await openNoFollow(place, O_DIRECTORY)
  try {
    const base = PATHS_BY_DESCRIPTOR ? `/proc/self/fd/${handle.fd}` : place.path
    if (place.relative === '') await requireUnmoved(base, place)
    const stat = await handle.stat({ bigint: true })
    yield { kind: 'directory', relative: place.relative, path: base, stat }
    for (const name of await sortedNames(base, place)) {
      throwIfAborted(signal)
      const relative = place.relative === '' ? name : `${place.relative}/${name}`
      if (skip(relative)) continue
      const child = { path: `${base}/${name}`, relative, root: place.root }
      const found = await statOf(child)
      if (found.isDirectory()) yield* walk(child, skip, signal)
      else yield { kind: kindOf(found), relative, path: child.path, stat: found }
    }
  } finally {
    await handle.close()
  }
}

/** Opens a found regular file; rejects with FILES_CHANGED if it is none any more. */
export async function openFound(root: string, entry: FoundEntry): Promise<FileHandle> {
  return openNoFollow({ ...entry, root }, O_NONBLOCK)
}

async function openNoFollow(place: Place, flags: number): Promise<FileHandle> {
  try {
    return await open(place.path, O_RDONLY | O_NOFOLLOW | flags)
  } catch (error) {
    throw walkError(error, place)
  }
}

async function requireUnmoved(base: string, place: Place): Promise<void> {
  if (!PATHS_BY_DESCRIPTOR || (await readlink(base)) === place.root) return
  throw new AppError('FILES_CHANGED', `${place.root} was moved or exchanged while it was opened`)
}

async function sortedNames(base: string, place: Place): Promise<readonly string[]> {
  try {
    const names = await readdir(base, { encoding: 'buffer' })
    return names.sort(Buffer.compare).map((name) => requireUtf8(name, place))
  } catch (error) {
    throw walkError(error, place)
  }
}

/** Paths are text in manifests and in the tar: bytes that are none would come back as another name. */
function requireUtf8(name: Buffer, place: Place): string {
  if (isUtf8(name)) return name.toString()
  const shown = JSON.stringify(name.toString('latin1'))
  throw new AppError('INVALID_REQUEST', `a name in ${shownPath(place)} is not UTF-8: ${shown} (as Latin-1)`, {
    hint: 'rename it (convmv does whole directories), or include a directory without it',
  })
}

async function statOf(place: Place): Promise<BigIntStats> {
  try {
    return await lstat(place.path, { bigint: true })
  } catch (error) {
    throw walkError(error, place)
  }
}

function kindOf(stat: BigIntStats): FoundEntry['kind'] {
  if (stat.isFile()) return 'file'
  return stat.isSymbolicLink() ? 'symlink' : 'special'
}

function walkError(error: unknown, place: Place): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') {
    return new AppError('FILES_CHANGED', `${shownPath(place)} vanished or was exchanged while it was read`, {
      cause: error,
      hint: 'include directories whose files stand still, or back up when they do',
    })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new AppError('PATH_NOT_ALLOWED', `${shownPath(place)} may not be read`, {
      cause: error,
      hint: 'let the user that the worker runs as read everything in the included directories',
    })
  }
  return error
}

function shownPath(place: Place): string {
  return place.relative === '' ? place.root : `${place.root}/${place.relative}`
}
