import type { BigIntStats } from 'node:fs'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RestoreFiles } from '../file-names.ts'
import { restoreFiles, SIDE_SUFFIXES } from '../file-names.ts'
import type { Aside, FileIdentity, SwapInput, SwapOutput } from '../protocol.ts'
import { headerOf } from './destination.ts'
import { HelperFailure } from './failure.ts'
import type { JobLink } from './link.ts'
import type { LiveDatabase } from './live-database.ts'
import { newestPage1, openLive } from './live-database.ts'
import { identityOf, isSameFile, locateFile, lstatOrNull } from './locate-file.ts'
import { hasMarker, markerOf } from './marker.ts'
import { keepAside, keptAsides } from './set-aside.ts'
import { keptFile, placeNew, replaceFile } from './swap-file.ts'
import { swapPages } from './swap-pages.ts'
import { syncDirectory } from './sync-files.ts'

/**
 * Makes a staged file the database at its destination, keeping what was there. Repeated after a crash at any moment
 * it finds out how far it had come and goes on to the same end.
 */
export async function swap(input: SwapInput, link: JobLink): Promise<SwapOutput> {
  link.opened()
  const { realPath, stat } = locateFile(input, (path) => [
    input.staged,
    ...linkedAside(path, input.operationId),
  ])
  const files = filesOf(realPath, input.operationId)
  if (stat !== null && isSameFile(stat, input.staged)) return finish(files, keptFile(files), [])
  const staged = lstatOrNull(files.staged)
  if (staged === null || !isSameFile(staged, input.staged))
    return finishedEarlier(input, realPath, stat, files)
  if (stat === null) {
    await placeNew(realPath, files, link)
    return finish(files, keptFile(files), [])
  }
  const live = { realPath, lockWaitMs: input.lockWaitMs }
  if (!isUsable(live, stat)) {
    await replaceFile(realPath, stat, files, link)
    return finish(files, keptFile(files), [])
  }
  const warnings = await swapPages(
    {
      live,
      source: files.staged,
      marker: markerOf(input.operationId, 'swap'),
      // an empty file holds nothing to keep
      keep: stat.size === 0n ? null : (locked) => keepAside(locked, files, stat),
      wasWal: input.wasWal,
    },
    link,
  )
  return finish(files, keptPages(files, input.wasWal), warnings)
}

/** The files of an operation. Throws for an id that cannot be part of a name. */
export function filesOf(realPath: string, operationId: string): RestoreFiles {
  const files = restoreFiles(realPath, operationId)
  if (files !== null) return files
  throw new HelperFailure('INVALID_REQUEST', 'the operation id cannot be part of a file name')
}

/** The old file of a swap that gave it its second name and was killed before it took the first. */
export function linkedAside(realPath: string, operationId: string): readonly FileIdentity[] {
  const stat = lstatOrNull(filesOf(realPath, operationId).asides[0])
  return stat === null ? [] : [identityOf(stat)]
}

/** True if SQLite can open what is there, so that connections of other processes may exist and must be kept. */
export function isUsable(live: LiveDatabase, stat: BigIntStats): boolean {
  if (stat.size > 0n && headerOf(live.realPath) === null) return false
  const index = `${live.realPath}-shm`
  const hadIndex = lstatOrNull(index) !== null
  try {
    openLive(live)[Symbol.dispose]()
    return true
  } catch (error) {
    const isDamaged =
      error instanceof HelperFailure && ['DATABASE_CORRUPT', 'DATABASE_INVALID'].includes(error.code)
    if (!isDamaged) throw error
    // made by looking at it; what is kept aside is what was there
    if (!hadIndex) rmSync(index, { force: true })
    return false
  }
}

/** The staged file is removed last: as long as it is there, the swap may have to be repeated. */
function finish(files: RestoreFiles, aside: Aside | null, warnings: readonly string[]): SwapOutput {
  for (const suffix of ['', ...SIDE_SUFFIXES]) rmSync(`${files.staged}${suffix}`, { force: true })
  rmSync(files.asidePart, { force: true })
  syncDirectory(dirname(files.staged))
  return { aside, warnings: [...warnings, ...describe(aside)] }
}

function keptPages(files: RestoreFiles, wasWal: boolean): Aside | null {
  const [path, ...more] = keptAsides(files)
  return path === undefined ? null : { kind: 'pages', path, more, wasWal }
}

/** Without its staged file a swap has either come to its end, which leaves traces, or cannot come to it any more. */
function finishedEarlier(
  input: SwapInput,
  realPath: string,
  stat: BigIntStats | null,
  files: RestoreFiles,
): SwapOutput {
  const aside = keptPages(files, input.wasWal)
  if (aside !== null) return finish(files, aside, [])
  const page1 = stat === null ? null : newestPage1({ realPath, lockWaitMs: input.lockWaitMs })
  if (page1 !== null && hasMarker(page1, markerOf(input.operationId, 'swap'))) return finish(files, null, [])
  throw new HelperFailure(
    'DATABASE_NOT_FOUND',
    'the staged database of this restore is gone',
    'ask for the restore again; the destination was not changed by this attempt',
  )
}

function describe(aside: Aside | null): readonly string[] {
  if (aside?.kind === 'pages' && aside.more.length > 0) {
    return [
      `the restore was interrupted and the database was changed before it went on: its states are kept in ${[aside.path, ...aside.more].join(', ')}, oldest first`,
    ]
  }
  if (aside?.kind === 'file') {
    const what =
      aside.file === null
        ? 'files of a database that was gone'
        : 'the file at the destination, no usable database,'
    return [`${what} ${aside.file === null ? 'were' : 'was'} kept at ${aside.path}`]
  }
  return []
}
