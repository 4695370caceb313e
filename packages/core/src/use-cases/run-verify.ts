import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Verification } from '../domain/backup.ts'
import type { Artifact } from '../domain/manifest.ts'
import type { Progress } from '../domain/operation.ts'
import type { VerificationLevel } from '../domain/target.ts'
import type { ErrorCode, Failure } from '../errors.ts'
import { AppError } from '../errors.ts'
import { prove } from '../pipeline/prove.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import { isoNow } from '../ports/clock.ts'
import type { CheckRequest, DumpDescription } from '../ports/driver.ts'
import type { DriverFactory } from '../ports/driver-factory.ts'
import type { OperationContext, OperationHandler } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { requireScratchSpace, withScratch } from './scratch.ts'
import type { StoredDump } from './stored-backup.ts'
import { artifactKeyOf, dataArtifact, describeDump, openPlain, readManifest } from './stored-backup.ts'
import { scratchUrlOf } from './target-driver.ts'

/** Failures that say something about the backup; any other says that it could not be looked at. */
const DAMAGE: readonly ErrorCode[] = [
  'ARTIFACT_CORRUPT',
  'MANIFEST_MISSING',
  'MANIFEST_INVALID',
  'MANIFEST_UNTRUSTED',
  'VERIFICATION_FAILED',
]

/** Verifies a stored backup at the level asked for, and marks it damaged or repaired by what it found. */
export function verifyHandler(deps: WorkDeps): OperationHandler {
  return {
    async run(context) {
      const request = verifyRequestOf(context)
      const backup = await deps.catalog.backups.get(request.backupId)
      if (backup.status !== 'completed' && backup.status !== 'damaged') {
        throw new AppError(
          'BACKUP_NOT_USABLE',
          `backup ${backup.id} is ${backup.status} and has nothing to verify`,
        )
      }
      const storage = await deps.storages.byName(backup.storage)
      const manifest = await readManifest(storage, deps.signer, backup, context.signal)
      const message = await verifyStored(deps, storage, manifest, request.level, context)
      const verification = { level: request.level, valid: true, message, at: isoNow(deps.clock) }
      return verifyEnd('completed', verification, null)
    },

    async settle(context, failure) {
      const { level } = verifyRequestOf(context)
      return verifyEnd(
        failure.code === 'CANCELLED' ? 'cancelled' : 'failed',
        damageBy(failure, level, isoNow(deps.clock)),
        failure,
      )
    },
  }
}

/** What a failure of this level of looking says about the backup itself; null if it says nothing. */
export function damageBy(failure: Failure, level: VerificationLevel, at: string): Verification | null {
  return DAMAGE.includes(failure.code) ? { level, valid: false, message: failure.detail, at } : null
}

type VerifyDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>
type ScratchOwner = Pick<OperationContext, 'operation' | 'held' | 'signal' | 'report'>

/**
 * Reads every artifact back in full and checks it as deeply as asked. Returns what was found, in words.
 * Rejects with ARTIFACT_CORRUPT or VERIFICATION_FAILED.
 */
export async function verifyStored(
  deps: VerifyDeps,
  storage: Storage,
  manifest: StoredDump,
  level: VerificationLevel,
  context: ScratchOwner,
): Promise<string> {
  const data = dataArtifact(manifest)
  context.report('verifying', { bytes: 0, totalBytes: manifest.storedBytes })
  for (const artifact of manifest.artifacts) {
    // the dump is read back by the drill below anyway, with the same comparison of every byte
    if (artifact === data && level !== 'checksum') continue
    await prove(storage, artifactKeyOf(manifest, artifact), artifact, artifact.codec, context.signal)
  }
  if (level === 'checksum')
    return `every stored byte of ${manifest.artifacts.length} artifacts is the one written`
  const { driverContext } = deps
  const owner = { operationId: context.operation.id, fence: context.held.fence }
  return withScratch(driverContext.scratchDir, owner, async (directory) => {
    await requireScratchSpace(directory, data.sizeBytes)
    const dump = await describeDump(storage, manifest, context.signal)
    const file = join(directory, 'drill')
    await pipeline(
      await openPlain(storage, manifest, data, context.signal),
      createWriteStream(file, { mode: 0o600, flags: 'wx' }),
      { signal: context.signal },
    )
    const scratchUrl = level === 'restore' ? await scratchUrlOf(deps, manifest) : null
    const what = { engine: manifest.engine, dump, file, scratchUrl, operationId: context.operation.id }
    return checkDump(deps, what, level, context)
  })
}

interface CheckedDump extends Pick<CheckRequest, 'operationId' | 'file' | 'scratchUrl'> {
  readonly engine: string
  readonly dump: DumpDescription
}

/** Checks a plain dump in a file; at level `restore` its rows must be the ones counted in the source. */
export async function checkDump(
  deps: Pick<WorkDeps, 'drivers' | 'driverContext'>,
  { engine, ...what }: CheckedDump,
  level: Exclude<VerificationLevel, 'checksum'>,
  { signal, report: tell }: Pick<OperationContext, 'signal' | 'report'>,
): Promise<string> {
  const factory: DriverFactory = deps.drivers.byEngine(engine)
  const depth = level === 'restore' ? 'full' : 'structure'
  const onProgress = (progress: Progress) => tell('verifying', progress)
  const report = await factory.check({ ...what, depth, onProgress }, deps.driverContext, signal)
  if (!report.valid) throw new AppError('VERIFICATION_FAILED', report.message)
  if (level === 'structure') return report.message
  const { counting, rowCounts } = what.dump
  if (counting !== 'exact')
    return `${report.message}; nothing was counted exactly in the source to compare with`
  const difference = firstDifference(rowCounts, report.rowCounts ?? {})
  if (difference !== null) throw new AppError('VERIFICATION_FAILED', difference)
  return `${report.message}; ${Object.keys(rowCounts).length} tables have as many rows as in the source`
}

/** The first table whose count differs, in words; null if all are equal. */
function firstDifference(
  expected: Readonly<Record<string, number>>,
  found: Readonly<Record<string, number>>,
): string | null {
  for (const table of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const [want, have] = [expected[table], found[table]]
    if (want !== have)
      return `table ${table} has ${have ?? 'no'} rows, the source had ${want ?? 'no such table'}`
  }
  return null
}

/** Every artifact of a backup, proven to hold the bytes written. */
export async function proveArtifacts(
  storage: Storage,
  manifest: Pick<StoredDump, 'target' | 'id'>,
  artifacts: readonly Artifact[],
  signal: AbortSignal,
): Promise<void> {
  for (const artifact of artifacts) {
    await prove(storage, artifactKeyOf(manifest, artifact), artifact, artifact.codec, signal)
  }
}

function verifyRequestOf(context: Pick<OperationContext, 'operation'>) {
  const { request } = context.operation
  if (request.type === 'verify') return request
  throw new AppError('INVALID_REQUEST', `a verification cannot carry out a ${request.type}`)
}

function verifyEnd(
  state: OperationEnd['state'],
  verification: Verification | null,
  failure: Failure | null,
): OperationEnd {
  return {
    state,
    result: verification === null ? null : { verification },
    failure,
    backup: verification === null ? null : { kind: 'verified', verification },
    replaced: null,
    undone: null,
  }
}
