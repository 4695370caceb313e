import type { BigIntStats } from 'node:fs'
import { linkSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RestoreFiles } from '../file-names.ts'
import { SIDE_SUFFIXES } from '../file-names.ts'
import type { Aside } from '../protocol.ts'
import { codeOf, explain, HelperFailure } from './failure.ts'
import type { JobLink } from './link.ts'
import { identityOf, isSameFile, lstatOrNull } from './locate-file.ts'
import { likeFile, syncDirectory } from './sync-files.ts'

/** Brings the staged file to a place where there is none, never over one that appeared meanwhile. */
export async function placeNew(realPath: string, files: RestoreFiles, link: JobLink): Promise<void> {
  await link.confirm()
  // a log that is still there would be replayed into the new database
  moveSideFiles(realPath, files.asides[0])
  try {
    linkSync(files.staged, realPath)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw explain(error, realPath)
    throw new HelperFailure(
      'DESTINATION_EXISTS',
      'a file has appeared at the destination since the restore began; it was not touched',
      'look at the new file, then ask for the restore again',
    )
  }
  syncDirectory(dirname(realPath))
}

/** Brings the staged file into the place of one that SQLite cannot open, which is kept whole with all beside it. */
export async function replaceFile(
  realPath: string,
  stat: BigIntStats,
  files: RestoreFiles,
  link: JobLink,
): Promise<void> {
  const aside = files.asides[0]
  likeFile(files.staged, stat)
  await link.confirm()
  const now = lstatOrNull(realPath)
  if (now === null || !isSameFile(now, identityOf(stat))) {
    throw new HelperFailure('DATABASE_LOCKED', 'the destination was replaced while it was about to be')
  }
  moveSideFiles(realPath, aside)
  const kept = lstatOrNull(aside)
  // there already if this operation was killed just here
  if (kept === null || !isSameFile(kept, identityOf(stat))) linkSync(realPath, aside)
  syncDirectory(dirname(realPath))
  renameSync(files.staged, realPath)
  syncDirectory(dirname(realPath))
}

/** What {@link placeNew} or {@link replaceFile} has kept aside; null if there was nothing. */
export function keptFile(files: RestoreFiles): Aside | null {
  const path = files.asides[0]
  const stat = lstatOrNull(path)
  const side = SIDE_SUFFIXES.filter((suffix) => lstatOrNull(`${path}${suffix}`) !== null)
  if (stat === null && side.length === 0) return null
  return { kind: 'file', path, file: stat === null ? null : identityOf(stat), side }
}

/** Puts back what lay beside a file that was kept, in place of what lies beside the one it replaces. */
export function putBackSideFiles(aside: Extract<Aside, { kind: 'file' }>, realPath: string): void {
  for (const suffix of SIDE_SUFFIXES) {
    const kept = `${aside.path}${suffix}`
    if (!aside.side.includes(suffix)) rmSync(`${realPath}${suffix}`, { force: true })
    else if (lstatOrNull(kept) !== null) renameSync(kept, `${realPath}${suffix}`)
  }
}

function moveSideFiles(realPath: string, aside: string): void {
  for (const suffix of SIDE_SUFFIXES) {
    if (lstatOrNull(`${realPath}${suffix}`) !== null) renameSync(`${realPath}${suffix}`, `${aside}${suffix}`)
  }
}
