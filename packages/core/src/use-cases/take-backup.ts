import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { PassThrough } from 'node:stream'
import type { Backup } from '../domain/backup.ts'
import type { Artifact, UnsignedManifest } from '../domain/manifest.ts'
import { artifactName, backupPrefix } from '../domain/object-keys.ts'
import type { BackupRequest } from '../domain/operation.ts'
import type { Compression } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { PlainSource } from '../pipeline/codec.ts'
import { encode } from '../pipeline/codec.ts'
import { requireInsideRoots } from '../pipeline/path-policy.ts'
import { tarDirectories } from '../pipeline/tar-directories.ts'
import { together } from '../pipeline/together.ts'
import { isoNow } from '../ports/clock.ts'
import type { DumpSummary } from '../ports/driver.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { ownPlaces, requireNotOwn } from './own-places.ts'
import { checkDump, proveArtifacts, verifyStored } from './run-verify.ts'
import { requireScratchSpace, withScratch } from './scratch.ts'
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
  const driver = await driverOfTarget(deps, request.target)
  context.report('inspecting', { bytes: 0 })
  const database = await driver.inspect(context.signal)
  const owner = { operationId: context.operation.id, fence: context.held.fence }
  const { summary, data } = await withScratch(deps.driverContext.scratchDir, owner, async (directory) => {
    await requireScratchSpace(directory, database.sizeBytes)
    const sink = new ScratchSink(join(directory, 'dump'))
    const dumping = driver.dump(
      {
        mode: request.mode,
        sink,
        onProgress: (bytes, totalBytes) => context.report('dumping', progressOf(bytes, totalBytes)),
      },
      context.signal,
    )
    return storeDump(taking, sink, dumping)
  })
  const files = await storeFiles(taking, database.files)
  return describe(taking, summary, [data, ...files.artifacts], files, database.warnings)
}

/** A dump fills a file in scratch space, or flows on as it comes: whichever its driver asks for. */
class ScratchSink {
  readonly path: string
  readonly streamed: PassThrough
  /** The format of a stream, or null for a file. */
  readonly chosen: Promise<string | null>
  #choose: (format: string | null) => void = () => {}

  constructor(path: string) {
    this.path = path
    this.streamed = new PassThrough()
    this.chosen = new Promise((resolve) => {
      this.#choose = resolve
    })
  }

  stream(format: string): Writable {
    this.#choose(format)
    return this.streamed
  }

  file(): string {
    this.#choose(null)
    return this.path
  }
}

async function storeDump(taking: Taking, sink: ScratchSink, dumping: Promise<DumpSummary>) {
  const format = await Promise.race([sink.chosen, dumping.then(() => null)])
  if (format === null) {
    const summary = await dumping
    const source = { file: sink.path, sizeBytes: summary.sizeBytes, sha256: summary.sha256 }
    // the check reads the very bytes that are stored: reading back proves them equal by their hash
    const [data] = await together(taking.context.signal, (signal) => [
      storeArtifact(taking, 'data', summary.format, source, signal),
      taking.request.verify === 'structure'
        ? checkFile(taking, summary, sink.path, signal)
        : Promise.resolve(),
    ])
    return { summary, data: requireSame(data, summary) }
  }
  const [data, summary] = await together(taking.context.signal, (signal) => [
    storeArtifact(taking, 'data', format, sink.streamed, signal),
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
  const dump = { engine: taking.backup.engine, format: summary.format, rowCounts: summary.rowCounts }
  await checkDump(taking.deps, dump, file, 'structure', signal)
}

async function storeArtifact(
  taking: Taking,
  role: Artifact['role'],
  format: string,
  source: PlainSource,
  signal: AbortSignal,
): Promise<Artifact> {
  const { storage, backup, request, context } = taking
  const codec: Compression = request.compression
  const name = artifactName(role, context.held.fence, format, codec)
  const encoded = encode(source, codec, { signal })
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
    storeArtifact(taking, 'files', 'tar', tar.stream satisfies Readable, signal),
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
  const usable = { target: backup.target, status: 'completed' } as const
  const { items: previous } = await deps.catalog.backups.list(usable, { limit: 200, cursor: null })
  const smaller = shrinkage(previous, { sizeBytes: summary.sizeBytes, recordCount })
  const draft = {
    formatVersion: 1 as const,
    id: backup.id,
    name: backup.name,
    target: backup.target,
    engine: backup.engine,
    mode: backup.mode,
    kind: backup.kind,
    parentId: backup.parentId,
    catalogId: deps.catalog.id,
    storageId: await storage.id(),
    environment: backup.environment,
    labels: backup.labels,
    note: backup.note,
    retain: backup.retain,
    requestedBy: backup.requestedBy,
    compression: request.compression,
    encryption: 'none' as const,
    createdAt: backup.createdAt,
    startedAt,
    fence: context.held.fence,
    format: summary.format,
    sizeBytes: summary.sizeBytes,
    storedBytes: artifacts.reduce((sum, artifact) => sum + artifact.storedBytes, 0),
    recordCount,
    rowCounts: summary.rowCounts,
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

/** The part of the truth gate that reads back: nothing is believed that the storage has not shown again. */
async function prove(taking: Taking, draft: DraftManifest): Promise<string> {
  const { deps, storage, request, context } = taking
  if (request.verify === 'restore') return verifyStored(deps, storage, draft, 'restore', context)
  context.report('verifying', { bytes: 0, totalBytes: draft.storedBytes })
  await proveArtifacts(storage, draft, draft.artifacts, context.signal)
  return request.verify === 'structure'
    ? 'the structure is sound, and every stored byte was read back'
    : 'every stored byte was read back'
}

type DraftManifest = Omit<UnsignedManifest, 'completedAt' | 'durationMs' | 'verification'>

function progressOf(bytes: number, totalBytes: number | undefined) {
  if (totalBytes === undefined || totalBytes === 0) return { bytes }
  return { bytes, totalBytes, percent: Math.min(100, Math.floor((bytes / totalBytes) * 100)) }
}
