import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { Manifest } from '../domain/manifest.ts'
import { AppError } from '../errors.ts'
import { extractTar } from '../pipeline/extract-tar.ts'
import { requireInsideRoots } from '../pipeline/path-policy.ts'
import { syncDirectory } from '../pipeline/sync-directory.ts'
import type { DestinationReport } from '../ports/driver.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
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

/**
 * Where the included directories of a backup go: to where they came from when the backup's own target is restored,
 * into `filesInto` when that was asked for, and else into `<database>.files` beside the destination.
 */
export async function planFiles(
  deps: Pick<WorkDeps, 'driverContext'>,
  manifest: Pick<Manifest, 'include'>,
  destination: DestinationReport,
  request: { readonly filesInto: string | null; readonly isOwnTarget: boolean },
): Promise<FilesPlan> {
  const plan: PlannedDirectory[] = []
  for (const included of manifest.include) {
    const path = placeOf(included, destination, request)
    await requireInsideRoots(path, deps.driverContext.pathRoots)
    plan.push({ as: included.as, destination: path, occupied: await isOccupied(path) })
  }
  return plan
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
  },
): Promise<StagedDirectory[]> {
  const [first] = plan
  if (first === undefined) return []
  const { storage, manifest, operationId, signal } = source
  const staged = plan.map(({ destination }) => ({
    staged: besides(destination, operationId, 'staged'),
    destination,
    aside: besides(destination, operationId, 'replaced'),
  }))
  await discardFiles(plan, operationId)
  // unpacked once beside the first destination, then moved: a rename is enough where all are on one file system
  const unpacked = besides(first.destination, operationId, 'unpacked')
  await mkdir(dirname(unpacked), { recursive: true })
  try {
    const plain = await openPlain(storage, manifest, requireArtifact(manifest, 'files'), signal)
    await extractTar(plain, unpacked, { signal })
    for (const [index, directory] of staged.entries()) {
      const planned = plan[index]
      if (planned === undefined) continue
      await mkdir(dirname(directory.staged), { recursive: true })
      await rename(join(unpacked, planned.as), directory.staged)
      await syncDirectory(dirname(directory.staged))
    }
  } catch (error) {
    await discardFiles(plan, operationId)
    throw error
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
  return staged
}

/**
 * Brings staged directories into place by renames, keeping aside what was there. Each step can be repeated, so that
 * a second run after a crash goes on where the first one stopped. Returns what is kept aside.
 */
export async function swapFiles(
  staged: readonly StagedDirectory[],
): Promise<{ readonly destination: string; readonly aside: string }[]> {
  const kept: { destination: string; aside: string }[] = []
  for (const { staged: from, destination, aside } of staged) {
    if (await exists(from)) {
      if ((await exists(destination)) && !(await exists(aside))) await rename(destination, aside)
      await rename(from, destination)
      await syncDirectory(dirname(destination))
    }
    if (await exists(aside)) kept.push({ destination, aside })
  }
  return kept
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
}

function besides(destination: string, operationId: string, what: string): string {
  return join(dirname(destination), `.${basename(destination)}.holdfast-${operationId}.${what}`)
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(ignoreMissing)) !== null
}

function ignoreMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
    return null
  throw error
}
