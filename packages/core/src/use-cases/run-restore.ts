import { isAbsolute } from 'node:path'
import type { Backup } from '../domain/backup.ts'
import { isUsable } from '../domain/backup.ts'
import type { Manifest } from '../domain/manifest.ts'
import { backupPrefix } from '../domain/object-keys.ts'
import type { Progress, RestoreRequest } from '../domain/operation.ts'
import { AppError, throwIfAborted } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import type {
  DatabaseDriver,
  DestinationReport,
  DumpDescription,
  RestoreNeeds,
  RestoreOptions,
} from '../ports/driver.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { ownPlaces, requireNotOwn } from './own-places.ts'
import type { FilesPlan } from './restore-files.ts'
import { planFiles, stageFiles } from './restore-files.ts'
import type { SwapJournal } from './restore-journal.ts'
import { beginSwap, readJournal, resumeSwap } from './restore-journal.ts'
import { verifyStored } from './run-verify.ts'
import { withScratch } from './scratch.ts'
import { dataArtifact, describeDump, openPlain, readManifest } from './stored-backup.ts'
import { driverOfDestination, isOwnPlace } from './target-driver.ts'
import { RESTORE_URL_PURPOSE } from './target-url.ts'

interface Restoring {
  readonly deps: WorkDeps
  readonly context: OperationContext
  readonly request: RestoreRequest
  readonly backup: Backup
  readonly storage: Storage
  readonly manifest: Manifest
  readonly driver: DatabaseDriver
  readonly sealedUrl: string
  /** What `confirm` must repeat. */
  readonly destinationName: string
  readonly destination: DestinationReport
  readonly dump: DumpDescription
  readonly needs: RestoreNeeds
  readonly files: FilesPlan
}

/**
 * Restores a backup, all or nothing: staged beside the destination and checked there, then swapped in under a
 * journal, so that a crash at any moment leaves the old or the new data and the next worker goes on to the same end.
 */
export async function runRestore(
  deps: WorkDeps,
  request: RestoreRequest,
  context: OperationContext,
): Promise<OperationEnd> {
  const begun = readJournal(context.operation)
  if (begun !== null) return continueSwap(deps, begun, context)

  const restoring = await prepare(deps, request, context)
  if (request.dryRun) return reportDryRun(restoring)
  requireConsent(restoring)
  const journal = await stage(restoring)
  throwIfAborted(context.signal)
  return beginSwap(deps, restoring.driver, journal, context)
}

/** Carries a swap that an earlier worker began to its end; cancelling comes too late for it. */
export async function continueSwap(
  deps: WorkDeps,
  journal: SwapJournal,
  context: OperationContext,
): Promise<OperationEnd> {
  // where it began, wherever the target leads by now
  const url = deps.seal.open(journal.sealedUrl, RESTORE_URL_PURPOSE)
  const driver = deps.drivers.forUrl(url).create(url, deps.driverContext)
  try {
    return await resumeSwap(deps, driver, journal, { ...context, signal: new AbortController().signal })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    // a retry by the queue would free the database in between, and it may be half way: settle decides
    throw new AppError(error.code, error.message, {
      ...(error.hint && { hint: error.hint }),
      cause: error,
      retryable: false,
    })
  }
}

async function prepare(
  deps: WorkDeps,
  request: RestoreRequest,
  context: OperationContext,
): Promise<Restoring> {
  context.report('inspecting', { bytes: 0 })
  const backup = await deps.catalog.backups.get(request.backupId)
  if (!isUsable(backup)) {
    throw new AppError(
      'BACKUP_NOT_USABLE',
      `backup ${backup.id} is ${backup.status} and cannot be restored`,
      {
        hint: 'restore a completed backup; a damaged one can be verified again after its storage was repaired',
      },
    )
  }
  const storage = await deps.storages.byName(backup.storage)
  const manifest = await readManifest(storage, deps.signer, backup, context.signal)
  const { driver, sealedUrl, name } = await driverOfDestination(deps, request.into)
  if (driver.engine !== backup.engine) {
    throw new AppError(
      'INVALID_REQUEST',
      `a ${backup.engine} backup cannot be restored into ${driver.engine}`,
    )
  }
  const destination = await driver.inspectDestination(context.signal)
  await requireForeign(deps, storage, backup, destination)
  const dump = await describeDump(storage, manifest, context.signal)
  const needs = await driver.preflight(dump, optionsOf(request), context.signal)
  const files = await planFiles({ ...deps, storage }, manifest, destination, {
    filesInto: request.filesInto,
    isOwnTarget: isOwnPlace(request.into, backup),
  })
  const parts = { deps, context, request, backup, storage, manifest, driver, sealedUrl, destination, files }
  return { ...parts, dump, needs, destinationName: name }
}

/** A database that was put over our keys, catalog or backups would be the last thing that was restored. */
async function requireForeign(
  { driverContext }: Pick<WorkDeps, 'driverContext'>,
  storage: Pick<Storage, 'locate'>,
  { target, id }: Pick<Backup, 'target' | 'id'>,
  { location }: DestinationReport,
): Promise<void> {
  if (!isAbsolute(location)) return
  requireNotOwn(location, await ownPlaces(driverContext.scratchDir, storage.locate(backupPrefix(target, id))))
}

function requireConsent({ request, destination, destinationName, files }: Restoring): void {
  const occupied = destination.occupied || files.some((directory) => directory.occupied)
  if (!occupied) return
  if (!request.overwrite) {
    throw new AppError('DESTINATION_EXISTS', `${destinationName} holds data that the restore would replace`, {
      hint: "ask for it with 'overwrite': true; what is replaced is kept aside and the restore can be undone",
    })
  }
  if (request.confirm !== destinationName) {
    throw new AppError('CONFIRMATION_REQUIRED', "'confirm' does not repeat the name of the destination", {
      hint: `to replace what is there, send 'confirm': '${destinationName}'`,
    })
  }
}

async function stage(restoring: Restoring): Promise<SwapJournal> {
  const { deps, context, manifest, storage, driver, request } = restoring
  const data = dataArtifact(manifest)
  const owner = { operationId: context.operation.id, fence: context.held.fence }
  const ticket = await withScratch(deps.driverContext.scratchDir, owner, async (scratchDir) =>
    driver.stage(
      {
        operationId: context.operation.id,
        dump: restoring.dump,
        options: optionsOf(request),
        scratchDir,
        onProgress: (progress) => context.report('staging', percentOf(progress, data.sizeBytes)),
      },
      await openPlain(storage, manifest, data, context.signal),
      context.signal,
    ),
  )
  const files = await stageFiles(restoring.files, {
    storage,
    manifest,
    operationId: context.operation.id,
    signal: context.signal,
    confirm: () => deps.catalog.operations.confirm(context.held),
  })
  const hours = deps.keepReplacedHours
  return {
    step: 'swap',
    ticket,
    files,
    sealedUrl: restoring.sealedUrl,
    engine: driver.engine,
    target: 'target' in request.into ? request.into.target : null,
    expiresAt: new Date(deps.clock.now() + hours * 3_600_000).toISOString(),
    result: {
      restoredFrom: manifest.id,
      destination: restoring.destination.location,
      recordsRestored: manifest.recordCount,
      filesRestored: manifest.fileCount,
      bytesRestored: data.sizeBytes,
      consistentAt: manifest.consistentAt,
    },
  }
}

/** Everything that can be checked without changing anything, and what a real run would do and ask for. */
async function reportDryRun(restoring: Restoring): Promise<OperationEnd> {
  const { deps, storage, manifest, context, destination, needs, destinationName, files } = restoring
  const verified = await verifyStored(deps, storage, manifest, 'structure', context)
  const replaces = [
    ...(destination.occupied ? [destination.location] : []),
    ...files.filter((directory) => directory.occupied).map((directory) => directory.destination),
  ]
  const requires =
    replaces.length === 0 ? { dryRun: false } : { dryRun: false, overwrite: true, confirm: destinationName }
  const result = {
    dryRun: true,
    restoredFrom: manifest.id,
    destination: destination.location,
    replaces,
    requires,
    needs: { bytes: needs.bytesNeeded, privileges: needs.privileges },
    recordsToRestore: manifest.recordCount,
    filesToRestore: manifest.fileCount,
    bytesToRestore: manifest.sizeBytes,
    consistentAt: manifest.consistentAt,
    verified,
    warnings: [...destination.warnings, ...needs.warnings],
  }
  return { state: 'completed', result, failure: null, backup: null, replaced: null, undone: null }
}

function optionsOf({ keepOwners, definer }: RestoreRequest): RestoreOptions {
  return { keepOwners, definer }
}

function percentOf(progress: Progress, dumpBytes: number): Progress {
  const totalBytes = progress.totalBytes ?? dumpBytes
  const percent = totalBytes === 0 ? 100 : Math.min(100, Math.floor((progress.bytes / totalBytes) * 100))
  return { ...progress, totalBytes, percent }
}
