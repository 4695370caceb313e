import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backup } from '../domain/backup.ts'
import { isUuid, NAME_PATTERN } from '../domain/names.ts'
import { backupPrefix, manifestKey, restoreNotesKey, stateKey } from '../domain/object-keys.ts'
import { isFinished } from '../domain/operation.ts'
import { hasCode, throwIfAborted } from '../errors.ts'
import type { Storage, StoredObject } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { findManifest } from './stored-backup.ts'
import { sweepServers } from './sweep-servers.ts'

const TARGET = new RegExp(NAME_PATTERN)
const DAY_MS = 24 * 3_600_000

/** How old leftovers must be. */
export interface SweepGrace {
  /** For leftovers of operations that this catalog knows to be finished. */
  readonly knownMs: number
  /** For objects of backups that this catalog has never heard of; default one day. */
  readonly unknownMs?: number
}

type SweepDeps = Pick<
  WorkDeps,
  'catalog' | 'storages' | 'signer' | 'clock' | 'log' | 'drivers' | 'driverContext' | 'seal'
>

/**
 * Removes what nothing refers to: unfinished uploads, objects of failed or deleted backups, artifacts of workers that
 * were taken over, scratch directories of dead workers on this machine, and scratch databases on the servers of
 * targets. Never touches a listed backup's objects.
 */
export async function sweep(
  deps: SweepDeps,
  grace: SweepGrace,
  signal: AbortSignal,
): Promise<{ readonly removed: number }> {
  let removed = await sweepScratch(deps, grace)
  for (const storage of await deps.storages.list()) {
    removed += await storage.sweepPartial(grace.knownMs)
    for (const [folder, objects] of await byFolder(storage)) {
      throwIfAborted(signal)
      removed += await sweepFolder(deps, storage, folder, objects, grace, signal)
    }
  }
  // last: servers may let us wait
  removed += await sweepServers(deps, signal)
  return { removed }
}

async function sweepFolder(
  deps: SweepDeps,
  storage: Storage,
  folder: string,
  objects: readonly StoredObject[],
  grace: SweepGrace,
  signal: AbortSignal,
): Promise<number> {
  const [target, id] = folder.split('/')
  if (target === undefined || !TARGET.test(target) || id === undefined || !isUuid(id)) return 0
  const backup = await findBackup(deps, id)
  const graceMs = backup === null ? (grace.unknownMs ?? DAY_MS) : grace.knownMs
  const old = objects.filter((object) => object.modifiedAtMs <= deps.clock.now() - graceMs)
  if (old.length === 0) return 0
  const keep = await keptKeys(deps, storage, backup, { target, id }, objects, signal)
  if (keep === null) return 0
  let removed = 0
  // the manifest goes first: a folder without one is no backup
  for (const object of old.toSorted((a) => (a.key === manifestKey(target, id) ? -1 : 1))) {
    if (keep.has(object.key)) continue
    removed += (await storage.delete(object.key)) ? 1 : 0
  }
  return removed
}

/** The keys of a folder that must stay; null if nobody may judge yet. */
async function keptKeys(
  deps: SweepDeps,
  storage: Storage,
  backup: Backup | null,
  { target, id }: { readonly target: string; readonly id: string },
  objects: readonly StoredObject[],
  signal: AbortSignal,
): Promise<ReadonlySet<string> | null> {
  const hasManifest = objects.some((object) => object.key === manifestKey(target, id))
  if (backup === null) return hasManifest ? null : new Set()
  if (backup.status === 'pending' || backup.status === 'in_progress' || backup.status === 'expired')
    return null
  if (backup.status === 'failed' || backup.status === 'deleted') return new Set()
  const manifest = await findManifest(storage, deps.signer, backup, signal)
  if (manifest === null) return null
  const artifacts = manifest.artifacts.map((artifact) => `${backupPrefix(target, id)}${artifact.name}`)
  return new Set([...artifacts, manifestKey(target, id), restoreNotesKey(target, id), stateKey(target, id)])
}

async function findBackup(deps: SweepDeps, id: string): Promise<Backup | null> {
  try {
    return await deps.catalog.backups.get(id)
  } catch (error) {
    if (hasCode(error, 'BACKUP_NOT_FOUND')) return null
    throw error
  }
}

async function byFolder(storage: Storage): Promise<ReadonlyMap<string, readonly StoredObject[]>> {
  const folders = new Map<string, StoredObject[]>()
  for await (const object of storage.list('')) {
    const folder = object.key.split('/').slice(0, 2).join('/')
    const known = folders.get(folder)
    if (known) known.push(object)
    else folders.set(folder, [object])
  }
  return folders
}

/** Scratch directories are named `<operation id>-<fence>`; one whose operation is finished has no owner. */
async function sweepScratch(deps: SweepDeps, grace: SweepGrace): Promise<number> {
  const { scratchDir } = deps.driverContext
  let removed = 0
  for (const name of await readdir(scratchDir).catch(() => [])) {
    const operationId = name.slice(0, 36)
    if (!isUuid(operationId)) continue
    const path = join(scratchDir, name)
    const { mtimeMs } = await stat(path)
    if (mtimeMs > deps.clock.now() - grace.knownMs || !(await isOver(deps, operationId))) continue
    await rm(path, { recursive: true, force: true })
    removed += 1
  }
  return removed
}

async function isOver(deps: SweepDeps, operationId: string): Promise<boolean> {
  try {
    return isFinished(await deps.catalog.operations.get(operationId))
  } catch (error) {
    if (hasCode(error, 'OPERATION_NOT_FOUND')) return true
    throw error
  }
}
