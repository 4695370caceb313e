import { lstat, mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { Manifest } from '../domain/manifest.ts'
import { backupPrefix } from '../domain/object-keys.ts'
import { AppError } from '../errors.ts'
import { extractTar } from '../pipeline/extract-tar.ts'
import { requireInsideRoots } from '../pipeline/path-policy.ts'
import { syncDirectory } from '../pipeline/sync-directory.ts'
import type { DestinationReport } from '../ports/driver.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { holds, ownPlaces, requireNothingOwnIn } from './own-places.ts'
import type { StagedDirectory } from './restore-journal.ts'
import { openPlain, requireArtifact } from './stored-backup.ts'

/** One included directory and where it will lie. */
export interface PlannedDirectory {
  /** Its top-level name in the archive. */
  readonly as: string
  readonly destination: string
  /** True if something is there that would be replaced. */
  readonly occupied: boolean
}
export type FilesPlan = readonly PlannedDirectory[]

type Planned = PlannedDirectory & { readonly realPath: string }

/**
 * Where the included directories of a backup go: to where they came from when the backup's own target is restored,
 * into `filesInto` when that was asked for, and else into `<database>.files` beside the destination.
 */
export async function planFiles(
  deps: Pick<WorkDeps, 'driverContext'> & { readonly storage: Pick<Storage, 'locate'> },
  manifest: Pick<Manifest, 'include' | 'target' | 'id'>,
  destination: DestinationReport,
  request: { readonly filesInto: string | null; readonly isOwnTarget: boolean },
): Promise<FilesPlan> {
  const { pathRoots, scratchDir } = deps.driverContext
  const plan: Planned[] = []
  const places = await ownPlaces(scratchDir, deps.storage.locate(backupPrefix(manifest.target, manifest.id)))
  for (const included of manifest.include) {
    const path = placeOf(included, destination, request)
    const realPath = await requireInsideRoots(path, pathRoots)
    requireNothingOwnIn(realPath, places)
    requireApart(realPath, destination)
    plan.push({ as: included.as, destination: path, occupied: await isOccupied(path), realPath })
  }
  return plan.filter((each, index) => !plan.some((other, at) => comesWith(each, other, index - at)))
}

/** One inside another comes with it: swapped by itself it would be moved away with the other, and undo miss it. */
function comesWith(each: Planned, other: Planned, distance: number): boolean {
  if (each.realPath === other.realPath) return distance > 0
  return holds(other.realPath, each.realPath)
}

/** The database is swapped by itself, while others have it open: it must not be moved away with a directory. */
function requireApart(path: string, { location }: DestinationReport): void {
  if (!isAbsolute(location) || !(holds(path, location) || holds(location, path))) return
  throw new AppError('INVALID_REQUEST', `the directory ${path} would be replaced, and holds the database`, {
    hint: "give the included directories another place with 'filesInto'",
  })
}

function placeOf(
  included: { readonly directory: string; readonly as: string },
  destination: DestinationReport,
  request: { readonly filesInto: string | null; readonly isOwnTarget: boolean },
): string {
  if (request.filesInto !== null) return join(request.filesInto, included.as)
  if (request.isOwnTarget) return included.directory
  if (isAbsolute(destination.location)) return join(`${destination.location}.files`, included.as)
  throw new AppError(
    'INVALID_REQUEST',
    'the backup holds included directories and nothing says where they go',
    {
      hint: "name a directory with 'filesInto'",
    },
  )
}

async function isOccupied(path: string): Promise<boolean> {
  const found = await lstat(path).catch(ignoreMissing)
  if (found === null) return false
  return !found.isDirectory() || (await readdir(path)).length > 0
}

/** Unpacks the included directories beside their destinations, which stay untouched. */
export async function stageFiles(
  plan: FilesPlan,
  source: {
    readonly storage: Storage
    readonly manifest: Manifest
    readonly operationId: string
    readonly signal: AbortSignal
    /** Rejects if another worker has taken over. */
    readonly confirm: () => Promise<void>
  },
): Promise<StagedDirectory[]> {
  const [first] = plan
  if (first === undefined) return []
  const { storage, manifest, operationId, signal, confirm } = source
  const staged = plan.map(({ destination }) => ({
    staged: besides(destination, operationId, 'staged'),
    destination,
    aside: besides(destination, operationId, 'replaced'),
  }))
  await discardFiles(plan, operationId)
  const unpackBeside = async (destination: string): Promise<string> => {
    const unpacked = besides(destination, operationId, 'unpacked')
    await makeParents(dirname(unpacked), operationId)
    const plain = await openPlain(storage, manifest, requireArtifact(manifest, 'files'), signal)
    await extractTar(plain, unpacked, { signal })
    return unpacked
  }
  try {
    // once for all, since a rename is enough where they lie on one file system
    const unpacked = await unpackBeside(first.destination)
    for (const [index, directory] of staged.entries()) {
      const planned = plan[index]
      if (planned === undefined) continue
      await makeParents(dirname(directory.staged), operationId)
      const isMoved = await moveInto(join(unpacked, planned.as), directory.staged)
      if (!isMoved) {
        const besideIt = await unpackBeside(planned.destination)
        await rename(join(besideIt, planned.as), directory.staged)
        await rm(besideIt, { recursive: true, force: true })
      }
      await syncDirectory(dirname(directory.staged))
    }
    await rm(unpacked, { recursive: true, force: true })
  } catch (error) {
    // whoever has taken over from us unpacks at the same places
    await confirm()
    await discardFiles(plan, operationId)
    throw explain(error)
  }
  return staged
}

/** False if the two places lie on different file systems. */
async function moveInto(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return false
    throw error
  }
}

/**
 * Brings staged directories into place by renames, keeping aside what was there. Each step can be repeated, so that
 * a second run after a crash goes on where the first one stopped. Returns what is kept aside.
 */
export async function swapFiles(
  staged: readonly StagedDirectory[],
): Promise<{ readonly destination: string; readonly aside: string }[]> {
  const kept: { destination: string; aside: string }[] = []
  try {
    for (const { staged: from, destination, aside } of staged) {
      if (await exists(from)) {
        if ((await exists(destination)) && !(await exists(aside))) await rename(destination, aside)
        await rename(from, destination)
        await syncDirectory(dirname(destination))
      }
      if (await exists(aside)) kept.push({ destination, aside })
    }
  } catch (error) {
    throw explain(error)
  }
  return kept
}

/** The directories that were made for a restore stay, now that something is in them. Idempotent. */
export async function keepParents(
  staged: readonly { readonly destination: string }[],
  operationId: string,
): Promise<void> {
  for (const { destination } of staged) {
    for (const directory of await madeFor(operationId, dirname(destination))) {
      await rm(noteIn(directory, operationId), { force: true })
    }
  }
}

/** Takes back what {@link swapFiles} did, whole or in part: the staged directories are staged again. */
export async function takeBackFiles(staged: readonly StagedDirectory[]): Promise<void> {
  for (const { staged: from, destination, aside } of staged) {
    const wasSwapped = !(await exists(from)) && (await exists(destination))
    if (wasSwapped) await rename(destination, from)
    if (await exists(aside)) await rename(aside, destination)
    await syncDirectory(dirname(destination))
  }
}

/** Puts replaced directories back; what the restore had brought is removed. Safe to repeat. */
export async function unswapFiles(
  files: readonly { readonly destination: string; readonly aside: string }[],
): Promise<void> {
  for (const { destination, aside } of files) {
    const undone = `${aside}.undone`
    if (await exists(aside)) {
      if ((await exists(destination)) && !(await exists(undone))) await rename(destination, undone)
      await rename(aside, destination)
      await syncDirectory(dirname(destination))
    }
    await rm(undone, { recursive: true, force: true })
  }
}

/** Removes what staging left for an operation. Idempotent. */
export async function discardFiles(
  plan: readonly { readonly destination: string }[],
  operationId: string,
): Promise<void> {
  for (const { destination } of plan) {
    await rm(besides(destination, operationId, 'staged'), { recursive: true, force: true })
    await rm(besides(destination, operationId, 'unpacked'), { recursive: true, force: true })
  }
  for (const { destination } of plan) {
    for (const directory of await madeFor(operationId, dirname(destination))) {
      await rm(noteIn(directory, operationId), { force: true })
      await rmdir(directory).catch((error) => {
        if (codeOf(error) !== 'ENOTEMPTY') throw error
      })
    }
  }
}

function besides(destination: string, operationId: string, what: string): string {
  return join(dirname(destination), `.${basename(destination)}.holdfast-${operationId}.${what}`)
}

/** Makes a directory and those above it, with a note in each, so that a restore that fails leaves none of them. */
async function makeParents(directory: string, operationId: string): Promise<void> {
  try {
    await mkdir(directory)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || dirname(directory) === directory) throw error
    await makeParents(dirname(directory), operationId)
    return makeParents(directory, operationId)
  }
  try {
    await writeFile(noteIn(directory, operationId), '')
  } catch (error) {
    await rmdir(directory)
    throw error
  }
  await syncDirectory(dirname(directory))
}

function noteIn(directory: string, operationId: string): string {
  return join(directory, `.holdfast-${operationId}.made`)
}

/** This directory and those above it, as far as they were made for the operation; the innermost first. */
async function madeFor(operationId: string, directory: string): Promise<readonly string[]> {
  if (!(await exists(noteIn(directory, operationId)))) return []
  return [directory, ...(await madeFor(operationId, dirname(directory)))]
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(ignoreMissing)) !== null
}

function ignoreMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
  throw error
}

/** What a failure of the file system means for whoever asked for the restore. */
function explain(error: unknown): unknown {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new AppError('TEMPORARY_SPACE_FULL', 'no space is left for the included directories', {
      hint: 'they are unpacked beside their destination first: free space on its file system',
      cause: error,
    })
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new AppError('DATABASE_ACCESS_DENIED', 'the included directories may not be put in their place', {
      hint: 'let the user that the workers run as write to the directory that receives them',
      cause: error,
    })
  }
  if (code === 'ENOTDIR') {
    return new AppError('DESTINATION_EXISTS', 'a file lies where a directory is needed for the files', {
      hint: "move it away, or name another directory with 'filesInto'",
      cause: error,
    })
  }
  return error
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
