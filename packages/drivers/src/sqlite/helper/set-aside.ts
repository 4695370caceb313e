import type { BigIntStats } from 'node:fs'
import { renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RestoreFiles } from '../file-names.ts'
import { headerOf } from './destination.ts'
import { HelperFailure } from './failure.ts'
import { lstatOrNull } from './locate-file.ts'
import type { LockedState } from './locked-state.ts'
import { likeFile, syncDirectory, syncPath } from './sync-files.ts'

/** A copy of the old database that is complete but has no name of its own yet. */
export interface Kept {
  /** Gives it its name, durably: from now on the old database may be overwritten. */
  arm(): void
  /** Removes it: the old database was not overwritten after all. */
  drop(): void
}

/**
 * Keeps a copy of the locked database. It is complete and durable under a temporary name before it is armed, so that
 * a file with an aside's name is always whole.
 */
export async function keepAside(locked: LockedState, files: RestoreFiles, model: BigIntStats): Promise<Kept> {
  rmSync(files.asidePart, { force: true })
  const target = freeAside(files, locked.schemaCookie)
  try {
    await locked.copyTo(files.asidePart)
    likeFile(files.asidePart, model)
    syncPath(files.asidePart)
  } catch (error) {
    rmSync(files.asidePart, { force: true })
    throw error
  }
  let isArmed = false
  return {
    arm() {
      renameSync(files.asidePart, target.path)
      syncDirectory(dirname(target.path))
      isArmed = true
    },
    drop() {
      if (!isArmed) rmSync(files.asidePart, { force: true })
      else if (target.isNew) rmSync(target.path, { force: true })
    },
  }
}

/** All copies that this operation has kept, the first one first. */
export function keptAsides(files: RestoreFiles): readonly string[] {
  return files.asides.filter((path) => lstatOrNull(path) !== null)
}

/**
 * The first name that is free, or whose copy is of the same database at an earlier moment: a swap raises the schema
 * cookie, so that an equal one proves that none has happened since. A copy of which that is not known stays as it is.
 */
function freeAside(
  files: RestoreFiles,
  cookie: number | null,
): { readonly path: string; readonly isNew: boolean } {
  for (const path of files.asides) {
    if (lstatOrNull(path) === null) return { path, isNew: true }
    if (cookie !== null && headerOf(path)?.schemaCookie === cookie) return { path, isNew: false }
  }
  throw new HelperFailure(
    'DATABASE_LOCKED',
    `the swap was interrupted too often: ${files.asides.length} copies of the old database lie beside it`,
    'look at the copies (.replaced-…) beside the destination and remove those that are not needed',
  )
}
