import type { Backup } from '../domain/backup.ts'
import { expiryOf } from '../domain/expiry.ts'
import type { UnsignedManifest } from '../domain/manifest.ts'
import type { BackupRequest } from '../domain/operation.ts'
import { AppError, hasCode } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import type { OperationContext, OperationHandler } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { commitManifest } from './commit-manifest.ts'
import { verifyStored } from './run-verify.ts'
import { findManifest, removeObjects } from './stored-backup.ts'
import { takeBackup } from './take-backup.ts'

/**
 * Takes one backup of one database. It ends as completed only through the truth gate: the dump is known complete, every artifact was
 * read back byte for byte, the verification asked for passed, the fence is still ours and the manifest is written.
 */
export function databaseBackupHandler(deps: WorkDeps): OperationHandler {
  return {
    async run(context) {
      const request = backupRequestOf(context)
      const backup = await deps.catalog.backups.get(backupIdOf(context))
      const storage = await deps.storages.byName(request.storage)
      const finished = await finishedBefore(deps, storage, backup, request, context)
      if (finished !== null) return completed(finished)

      await removeObjects(storage, backup.target, backup.id)
      const manifest = await takeBackup(deps, storage, backup, request, context)
      await commitManifest(deps, storage, manifest, context)
      return completed(manifest)
    },

    async settle(context, failure) {
      const request = backupRequestOf(context)
      await deps.catalog.operations.confirm(context.held)
      try {
        const storage = await deps.storages.byName(request.storage)
        await removeObjects(storage, request.target, backupIdOf(context))
      } catch (error) {
        // not listed without a manifest in the catalog's eyes; the sweep removes what lies there still
        if (hasCode(error, 'FENCE_LOST')) throw error
        deps.log.warn(
          { err: error, operationId: context.operation.id },
          'leftovers of a failed backup remain',
        )
      }
      return {
        state: failure.code === 'CANCELLED' ? 'cancelled' : 'failed',
        result: null,
        failure,
        backup: { kind: 'failed', failure },
        replaced: null,
        undone: null,
      }
    },
  }
}

/**
 * A worker may die after it wrote the manifest and before the catalog knew. Its backup is adopted if it passes the
 * verification once more; otherwise its manifest is removed and the backup is taken again.
 */
async function finishedBefore(
  deps: WorkDeps,
  storage: Storage,
  backup: Backup,
  request: BackupRequest,
  context: OperationContext,
): Promise<UnsignedManifest | null> {
  if (!context.takenOver && context.operation.attempts <= 1) return null
  const manifest = await findManifest(storage, deps.signer, backup, context.signal)
  if (manifest === null) return null
  try {
    await verifyStored(deps, storage, manifest, request.verify, context)
    return manifest
  } catch (error) {
    if (hasCode(error, 'ARTIFACT_CORRUPT') || hasCode(error, 'VERIFICATION_FAILED')) return null
    throw error
  }
}

function completed(manifest: UnsignedManifest): OperationEnd {
  const { facts, verification } = factsOf(manifest)
  const { storagePath, sizeBytes, storedBytes, recordCount, fileCount, checksum, warnings } = facts
  return {
    state: 'completed',
    result: {
      backupId: manifest.id,
      storagePath,
      sizeBytes,
      storedBytes,
      recordCount,
      fileCount,
      checksum,
      warnings,
    },
    failure: null,
    backup: {
      kind: 'completed',
      facts,
      verification,
      expiresAt: expiryOf(manifest.retain, manifest.completedAt),
    },
    replaced: null,
    undone: null,
  }
}

/** The catalog's part of a manifest. */
export function factsOf(manifest: UnsignedManifest) {
  const { format, sizeBytes, storedBytes, recordCount, rowCounts, fileCount, serverVersion, toolVersion } =
    manifest
  const {
    storagePath,
    checksum,
    warnings,
    suspicious,
    completedAt,
    consistentAt,
    durationMs,
    engineDetails,
  } = manifest
  const counts = { recordCount, rowCounts, counting: manifest.counting, fileCount }
  const times = { completedAt, consistentAt, durationMs }
  const versions = { serverVersion, toolVersion }
  const facts = {
    ...{ format, sizeBytes, storedBytes, storagePath, checksum, warnings, suspicious, engineDetails },
    ...counts,
    ...times,
    ...versions,
  }
  return { facts, verification: manifest.verification }
}

/** What requests did not say that were recorded before there were servers with many databases. */
const EARLIER = {
  database: null,
  groupId: null,
  format: 'sqlite',
  counting: 'exact',
  globals: 'none',
  filter: null,
} as const

function backupRequestOf(context: OperationContext): BackupRequest {
  const { request } = context.operation
  if (request.type === 'backup') return { ...EARLIER, ...request }
  throw new AppError('INVALID_REQUEST', `a backup cannot carry out a ${request.type}`)
}

function backupIdOf(context: OperationContext): string {
  const { backupId } = context.operation
  if (backupId !== null) return backupId
  throw new AppError('INVALID_REQUEST', 'a backup operation without its backup')
}
