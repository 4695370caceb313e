import type { BigIntStats } from 'node:fs'
import { linkSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import type { RestoreFiles } from '../file-names.ts'
import { SIDE_SUFFIXES } from '../file-names.ts'
import type { Aside, UndoInput } from '../protocol.ts'
import { Descriptors } from './descriptors.ts'
import { explain, HelperFailure } from './failure.ts'
import type { JobLink } from './link.ts'
import type { LiveDatabase } from './live-database.ts'
import { newestPage1 } from './live-database.ts'
import { identityOf, isSameFile, locateFile, lstatOrNull } from './locate-file.ts'
import { hasMarker, markerOf } from './marker.ts'
import { touch } from './open-source.ts'
import { sqlitePath } from './sqlite-path.ts'
import { filesOf, isUsable, linkedAside } from './swap.ts'
import { putBackSideFiles } from './swap-file.ts'
import { swapPages } from './swap-pages.ts'
import { syncDirectory } from './sync-files.ts'

type FileAside = Extract<Aside, { kind: 'file' }>
type PagesAside = Extract<Aside, { kind: 'pages' }>

interface Undoing {
  readonly live: LiveDatabase
  readonly stat: BigIntStats | null
  readonly files: RestoreFiles
  readonly operationId: string
}

/** Puts back what a swap had kept, and uses up what was kept. Can be repeated after a crash, like a swap. */
export async function undo(input: UndoInput, link: JobLink): Promise<null> {
  link.opened()
  const { operationId, aside, lockWaitMs } = input
  const { realPath, stat } = locateFile(input, (path) => linkedAside(path, operationId))
  const files = filesOf(realPath, operationId)
  if (!files.asides.some((path) => path === aside.path)) throw notPossible()
  const undoing = { live: { realPath, lockWaitMs }, stat, files, operationId }
  if (aside.kind === 'pages') await putBackPages(undoing, aside, link)
  else await putBackFile(undoing, aside, link)
  syncDirectory(dirname(realPath))
  return null
}

async function putBackPages(undoing: Undoing, aside: PagesAside, link: JobLink): Promise<void> {
  const { live, stat, operationId, files } = undoing
  const marker = markerOf(operationId, 'undo')
  if (lstatOrNull(aside.path) === null) {
    const page1 = stat === null ? null : newestPage1(live)
    if (page1 !== null && hasMarker(page1, marker)) return
    throw notPossible()
  }
  if (stat !== null && isUsable(live, stat)) {
    await swapPages({ live, source: aside.path, marker, keep: null, wasWal: aside.wasWal }, link)
  } else if (stat === null || !isSameFile(stat, identityOf(requireStat(aside.path)))) {
    await link.confirm()
    for (const suffix of SIDE_SUFFIXES) rmSync(`${live.realPath}${suffix}`, { force: true })
    if (stat === null) linkSync(aside.path, live.realPath)
    else renameSync(aside.path, live.realPath)
    syncDirectory(dirname(live.realPath))
  }
  for (const path of files.asides) rmSync(path, { force: true })
}

async function putBackFile(undoing: Undoing, aside: FileAside, link: JobLink): Promise<void> {
  const { live, stat } = undoing
  const isBack = aside.file === null ? stat === null : stat !== null && isSameFile(stat, aside.file)
  if (!isBack) {
    if (aside.file !== null && lstatOrNull(aside.path) === null) throw notPossible()
    using _lock = stat !== null && isUsable(live, stat) ? lockOut(live) : null
    await link.confirm()
    if (aside.file === null) rmSync(live.realPath, { force: true })
    else renameSync(aside.path, live.realPath)
    syncDirectory(dirname(live.realPath))
  }
  putBackSideFiles(aside, live.realPath)
}

/** Shuts everybody else out of a database whose file is about to be taken away. */
function lockOut({ realPath, lockWaitMs }: LiveDatabase): Disposable {
  const descriptors = new Descriptors()
  try {
    const path = sqlitePath(realPath, descriptors.open(realPath))
    const connection = new Database(path, { fileMustExist: true, timeout: lockWaitMs })
    const dispose = () => {
      connection.close()
      descriptors.closeAll()
    }
    try {
      connection.pragma('locking_mode = EXCLUSIVE')
      connection.exec('BEGIN EXCLUSIVE')
      touch(connection)
      return { [Symbol.dispose]: dispose }
    } catch (error) {
      dispose()
      throw error
    }
  } catch (error) {
    descriptors.closeAll()
    throw explain(error, realPath)
  }
}

function requireStat(path: string): BigIntStats {
  const stat = lstatOrNull(path)
  if (stat !== null) return stat
  throw notPossible()
}

function notPossible(): HelperFailure {
  return new HelperFailure(
    'UNDO_NOT_POSSIBLE',
    'what the restore had kept aside is not there any more',
    'restore an older backup instead',
  )
}
