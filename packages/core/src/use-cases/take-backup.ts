import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Backup } from '../domain/backup.ts'
import type { Artifact, UnsignedManifest } from '../domain/manifest.ts'
import { artifactName, backupPrefix } from '../domain/object-keys.ts'
import type { BackupRequest, Progress } from '../domain/operation.ts'
import type { Compression } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { EncodeOptions, PlainSource } from '../pipeline/codec.ts'
import { encode } from '../pipeline/codec.ts'
import { requireInsideRoots } from '../pipeline/path-policy.ts'
import { tarDirectories } from '../pipeline/tar-directories.ts'
import { together } from '../pipeline/together.ts'
import { isoNow } from '../ports/clock.ts'
import type { DumpSummary } from '../ports/driver.ts'
import type { DumpFormat } from '../ports/driver-factory.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { ownPlaces, requireNotOwn } from './own-places.ts'
import { checkDump, proveArtifacts, verifyStored } from './run-verify.ts'
import { requireScratchSpace, withScratch } from './scratch.ts'
import { ScratchSink } from './scratch-sink.ts'
import { shrinkage } from './shrinkage.ts'
import { driverOfTarget } from './target-driver.ts'

interface Taking {
  readonly deps: WorkDeps
  readonly storage: Storage
  readonly backup: Backup
  readonly request: BackupRequest
  readonly context: OperationContext
}

/** Dumps, stores, reads back and verifies: everything that makes a backup but the manifest that it returns. */
export async function takeBackup(
  deps: WorkDeps,
  storage: Storage,
  backup: Backup,
  request: BackupRequest,
  context: OperationContext,
): Promise<UnsignedManifest> {
  const taking = { deps, storage, backup, request, context }
  const driver = await driverOfTarget(deps, request.target, request.database)
  context.report('inspecting', { bytes: 0 })
  const database = await driver.inspect(context.signal)
  const owner = { operationId: context.operation.id, fence: context.held.fence }
  const format = formatOf(deps, backup.engine, request.format)
  const { summary, data } = await withScratch(deps.driverContext.scratchDir, owner, async (directory) => {
    if (!format.streams) await requireScratchSpace(directory, database.sizeBytes)
    const sink = new ScratchSink(join(directory, 'dump'))
    const scratchDir = join(directory, 'driver')
    await mkdir(scratchDir, { mode: 0o700 })
    const { mode, counting, globals, filter } = request
    const onProgress = (progress: Progress) => context.report('dumping', withPercent(progress))
    const asked = { mode, counting, globals, filter, format: format.name, operationId: context.operation.id }
    const dumping = driver.dump({ ...asked, sink, scratchDir, onProgress }, context.signal)
    return storeDump({ ...taking, expectedBytes: database.sizeBytes }, format, sink, dumping)
  })
  const attachments = await storeAttachments(taking, summary)
  const files = await storeFiles(taking, database.files)
  return describe(taking, summary, [data, ...attachments, ...files.artifacts], files, database.warnings)
}

async function storeDump(
  taking: Taking & { readonly expectedBytes: number },
  { extension }: DumpFormat,
  sink: ScratchSink,
  dumping: Promise<DumpSummary>,
) {
  const way = await Promise.race([sink.chosen, dumping.then(() => 'file')])
  if (way === 'file') {
    const summary = await dumping
    const source = { file: sink.path, sizeBytes: summary.sizeBytes, sha256: summary.sha256 }
    // the check reads the very bytes that are stored: reading back proves them equal by their hash
    const [data] = await together(taking.context.signal, (signal) => [
      storeArtifact(taking, 'data', extension, source, signal),
      taking.request.verify === 'structure'
        ? checkFile(taking, summary, sink.path, signal)
        : Promise.resolve(),
    ])
    return { summary, data: requireSame(data, summary) }
  }
  const [data, summary] = await together(taking.context.signal, (signal) => [
    storeArtifact(taking, 'data', extension, sink.streamed, signal, {
      expectedBytes: taking.expectedBytes,
      digest: dumping,
    }),
    dumping,
  ])
  return { summary, data: requireSame(data, summary) }
}

async function checkFile(
  taking: Taking,
  summary: DumpSummary,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { backup, request, context } = taking
  const dump = { ...summary, mode: request.mode, format: request.format }
  const what = { engine: backup.engine, dump, file, scratchUrl: null, operationId: context.operation.id }
  await checkDump(taking.deps, what, 'structure', { signal, report: context.report })
}

/** Rejects with INVALID_REQUEST for what the engine cannot write. */
function formatOf({ drivers }: Pick<WorkDeps, 'drivers'>, engine: string, name: string): DumpFormat {
  const { formats } = drivers.byEngine(engine)
  const format = formats.find((candidate) => candidate.name === name)
  if (format !== undefined) return format
  throw new AppError('INVALID_REQUEST', `${engine} has no format ${name}`)
}

/** They belong to the dump and are stored like it, so that they are compressed, proven and protected like it. */
async function storeAttachments(taking: Taking, { attachments }: DumpSummary): Promise<readonly Artifact[]> {
  const stored: Artifact[] = []
  for (const { role, format, content } of attachments) {
    const source = Readable.from([Buffer.from(content)])
    stored.push(await storeArtifact(taking, role, format, source, taking.context.signal))
  }
  return stored
}

async function storeArtifact(
  taking: Taking,
  role: Artifact['role'],
  extension: string,
  source: PlainSource,
  signal: AbortSignal,
  known: Pick<EncodeOptions, 'expectedBytes' | 'digest'> = {},
): Promise<Artifact> {
  const { storage, backup, request, context } = taking
  const codec: Compression = request.compression
  const name = artifactName(role, context.held.fence, extension, codec)
  const encoded = encode(source, codec, { signal, ...known })
  context.report('storing', { bytes: 0 })
  const stored = await storage.put(`${backupPrefix(backup.target, backup.id)}${name}`, encoded.stream, signal)
  const plain = await encoded.plain
  return {
    role,
    name,
    codec,
    cipher: 'none',
    sizeBytes: plain.sizeBytes,
    sha256: plain.sha256,
    storedBytes: stored.sizeBytes,
    storedSha256: stored.sha256,
  }
}

/** What was stored must be what the driver says left the source. */
function requireSame(data: Artifact, summary: DumpSummary): Artifact {
  if (data.sizeBytes === summary.sizeBytes && data.sha256 === summary.sha256) return data
  throw new AppError(
    'ARTIFACT_CORRUPT',
    'the bytes stored are not the bytes that were read from the database',
    {
      hint: 'temporary space or memory of this machine is damaging data: do not trust it until it was checked',
    },
  )
}

interface StoredFiles {
  readonly artifacts: readonly Artifact[]
  readonly fileCount: number
  readonly include: UnsignedManifest['include']
  readonly warnings: readonly string[]
}

async function storeFiles(taking: Taking, databaseFiles: readonly string[]): Promise<StoredFiles> {
  const { deps, storage, backup, request, context } = taking
  if (request.include.length === 0) return { artifacts: [], fileCount: 0, include: [], warnings: [] }
  const { pathRoots, scratchDir } = deps.driverContext
  const places = await ownPlaces(scratchDir, storage.locate(backupPrefix(backup.target, backup.id)))
  for (const directory of request.include) {
    requireNotOwn(await requireInsideRoots(directory, pathRoots), places)
  }
  const tar = await tarDirectories(request.include, {
    pathRoots,
    // what Holdfast itself writes would change under the reading
    exclude: [...databaseFiles, places.dataDir, places.storageRoot],
    signal: context.signal,
  })
  const [artifact, done] = await together(context.signal, (signal) => [
    storeArtifact(taking, 'files', 'tar', tar.stream, signal),
    tar.done,
  ])
  return {
    artifacts: [{ ...artifact, fileCount: done.fileCount }],
    fileCount: done.fileCount,
    include: tar.include,
    warnings: done.warnings,
  }
}

async function describe(
  taking: Taking,
  summary: DumpSummary,
  artifacts: readonly Artifact[],
  files: StoredFiles,
  databaseWarnings: readonly string[],
): Promise<UnsignedManifest> {
  const { deps, storage, backup, request, context } = taking
  const startedAt = context.operation.startedAt ?? isoNow(deps.clock)
  const recordCount = Object.values(summary.rowCounts).reduce((sum, count) => sum + count, 0)
  const { database } = backup
  const usable = {
    ...{ target: backup.target, status: 'completed' as const },
    ...(database !== null && { database }),
  }
  const { items: previous } = await deps.catalog.backups.list(usable, { limit: 200, cursor: null })
  const smaller = shrinkage(previous, {
    ...{ database, format: request.format, counting: summary.counting },
    ...{ sizeBytes: summary.sizeBytes, recordCount, leftOut: summary.details.leftOut },
  })
  const draft = {
    ...identityOf(backup),
    catalogId: deps.catalog.id,
    storageId: await storage.id(),
    compression: request.compression,
    createdAt: backup.createdAt,
    startedAt,
    fence: context.held.fence,
    format: request.format,
    sizeBytes: summary.sizeBytes,
    storedBytes: artifacts.reduce((sum, artifact) => sum + artifact.storedBytes, 0),
    recordCount,
    rowCounts: summary.rowCounts,
    counting: summary.counting,
    fileCount: files.fileCount,
    serverVersion: summary.serverVersion,
    toolVersion: summary.toolVersion,
    storagePath: storage.locate(backupPrefix(backup.target, backup.id)),
    checksum: summary.sha256,
    warnings: [...new Set([...databaseWarnings, ...summary.warnings, ...files.warnings, ...smaller])],
    suspicious: smaller.length > 0,
    consistentAt: summary.consistentAt,
    engineDetails: summary.details,
    include: files.include,
    artifacts,
  }
  const message = await prove(taking, draft)
  const completedAt = isoNow(deps.clock)
  return {
    ...draft,
    completedAt,
    durationMs: Math.max(0, Date.parse(completedAt) - Date.parse(startedAt)),
    verification: { level: request.verify, valid: true, message, at: completedAt },
  }
}

/** What was asked for, as a manifest tells it. */
function identityOf(backup: Backup) {
  const { id, name, target, engine, mode, kind, parentId, database, groupId } = backup
  const { environment, labels, note, retain, requestedBy } = backup
  return {
    ...{ formatVersion: 1 as const, id, name, target, engine, mode, kind, parentId, database, groupId },
    ...{ environment, labels, note, retain, requestedBy, encryption: 'none' as const },
  }
}

/** The part of the truth gate that reads back: nothing is believed that the storage has not shown again. */
async function prove(taking: Taking, draft: DraftManifest): Promise<string> {
  const { deps, storage, request, context } = taking
  if (request.verify === 'restore') return verifyStored(deps, storage, draft, 'restore', context)
  context.report('verifying', { bytes: 0, totalBytes: draft.storedBytes })
  await proveArtifacts(storage, draft, draft.artifacts, context.signal)
  if (request.verify === 'checksum') return 'every stored byte was read back'
  // a stream is looked at by its driver as it passes: that is less than reading all of it as a dump
  return formatOf(deps, draft.engine, draft.format).streams
    ? 'the dump is whole from its contents to its end, and every stored byte was read back'
    : 'the structure is sound, and every stored byte was read back'
}

type DraftManifest = Omit<UnsignedManifest, 'completedAt' | 'durationMs' | 'verification'>

function withPercent(progress: Progress): Progress {
  const { bytes, totalBytes } = progress
  if (totalBytes === undefined || totalBytes === 0) return progress
  return { ...progress, percent: Math.min(100, Math.floor((bytes / totalBytes) * 100)) }
}
