import { createHash } from 'node:crypto'
import type { BackupBody, RestoreBody, VerifyBody } from '../contract/requests.ts'
import { canonicalJson } from '../domain/canonical-json.ts'
import { requireName } from '../domain/names.ts'
import type { BackupRequest, Operation, OperationRequest, RestoreDestination } from '../domain/operation.ts'
import type { Target } from '../domain/target.ts'
import { uuidv7 } from '../domain/uuid.ts'
import { AppError } from '../errors.ts'
import type { Catalog, NewOperation } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { DriverFactory, DriverRegistry } from '../ports/driver.ts'
import type { Logger } from '../ports/logger.ts'
import type { JobQueue, OperationEvents } from '../ports/queue.ts'
import type { Seal } from '../ports/seal.ts'
import type { StorageRegistry } from '../ports/work.ts'

/** What an engine can do: enough to judge a request by. */
export type EngineFacts = Pick<DriverFactory, 'engine' | 'formats' | 'supports' | 'servers'>

/** What every request for work needs. */
export interface AcceptDeps {
  readonly catalog: Pick<Catalog, 'targets' | 'backups' | 'operations' | 'replaced'>
  readonly clock: Clock
  readonly seal: Seal
  readonly drivers: Pick<DriverRegistry, 'forUrl'> & { byEngine(engine: string): EngineFacts }
  readonly storages: Pick<StorageRegistry, 'names'>
}

/** Who asks. `job` is set when the request came as a job that is in its queue already. */
export interface Caller {
  readonly actor: string
  readonly idempotencyKey: string | null
  readonly job: { readonly jobId: string; readonly operationId: string } | null
}

export interface Accepted {
  readonly operation: Operation
  readonly coalesced: boolean
}

/** Purpose under which the URL of a restore is sealed; opening it needs the same. */
export const RESTORE_URL_PURPOSE = 'restore-url'
/** Purpose under which a target's URL is sealed. */
export const TARGET_URL_PURPOSE = 'target-url'

/** Records a backup of one target. Defaults come from the target's options, then from ours. */
export async function acceptBackup(deps: AcceptDeps, body: BackupBody, caller: Caller): Promise<Accepted> {
  const target = await deps.catalog.targets.get(body.target)
  const factory = deps.drivers.byEngine(target.engine)
  const request = toBackupRequest(body, target, factory)
  requireStorage(deps, request.storage)
  // a backup before a migration must show the writes made before it was asked for: an equal one under way may not
  const mayCoalesce = request.kind === 'manual' || request.kind === 'scheduled'
  return accept(deps, caller, {
    type: 'backup',
    request,
    target: target.name,
    lockKey: target.lockKey,
    backupId: uuidv7(deps.clock.now()),
    equalTo: mayCoalesce ? request : null,
  })
}

/** Records a restore of a backup into a registered target or, sealed, into a URL. A dry run unless told otherwise. */
export async function acceptRestore(
  deps: AcceptDeps,
  backupIdOrName: string,
  body: RestoreBody,
  caller: Caller,
): Promise<Accepted> {
  const backup = await deps.catalog.backups.get(backupIdOrName)
  const { into, lockKey } = await destinationOf(deps, body.into)
  const request = {
    type: 'restore',
    backupId: backup.id,
    into,
    dryRun: body.dryRun ?? true,
    confirm: body.confirm ?? null,
    overwrite: body.overwrite ?? false,
    keepOwners: body.keepOwners ?? true,
    filesInto: body.filesInto ?? null,
  } as const
  const target = 'target' in into ? into.target : null
  const place = 'target' in into ? into : { displayUrl: into.displayUrl }
  // sealing is randomised, so equality is judged by the place alone
  const equalTo = { ...request, into: place, lockKey }
  return accept(deps, caller, { type: 'restore', request, target, lockKey, backupId: backup.id, equalTo })
}

/** Records the undoing of a finished restore. Rejects with UNDO_NOT_POSSIBLE when nothing is kept any more. */
export async function acceptUndo(deps: AcceptDeps, operationId: string, caller: Caller): Promise<Accepted> {
  const restore = await deps.catalog.operations.get(operationId)
  if (restore.type !== 'restore') {
    throw new AppError('UNDO_NOT_POSSIBLE', 'only a restore can be undone')
  }
  await deps.catalog.replaced.get(operationId)
  await requireNewest(deps, restore)
  const request = { type: 'undo', restoreId: restore.id } as const
  const { target, lockKey } = restore
  return accept(deps, caller, { type: 'restore', request, target, lockKey, backupId: null, equalTo: request })
}

/** Undoing an older restore would silently drop the result of a newer one, and what that had kept would fit nothing. */
async function requireNewest(deps: AcceptDeps, restore: Operation): Promise<void> {
  for (const { operationId } of await deps.catalog.replaced.list()) {
    const other = await deps.catalog.operations.get(operationId)
    if (other.lockKey !== restore.lockKey || other.seq <= restore.seq) continue
    throw new AppError('UNDO_NOT_POSSIBLE', `a later restore replaced the result of this one`, {
      hint: `undo the later restore first: ${operationId}`,
    })
  }
}

/** Records a verification of a backup. It locks the backup, not the database: it reads storage alone. */
export async function acceptVerify(
  deps: AcceptDeps,
  backupIdOrName: string,
  body: VerifyBody,
  caller: Caller,
): Promise<Accepted> {
  const backup = await deps.catalog.backups.get(backupIdOrName)
  const request = { type: 'verify', backupId: backup.id, level: body.level ?? 'restore' } as const
  const lockKey = `backup:${backup.id}`
  return accept(deps, caller, {
    type: 'verify',
    request,
    target: backup.target,
    lockKey,
    backupId: backup.id,
    equalTo: request,
  })
}

/** Records a run of retention: removing what has expired. */
export function acceptRetention(deps: AcceptDeps, caller: Caller): Promise<Accepted> {
  const request = { type: 'retention' } as const
  return accept(deps, caller, {
    type: 'retention',
    request,
    target: null,
    lockKey: 'retention',
    backupId: null,
    equalTo: request,
  })
}

/** Where accepted work goes on to. */
export interface DispatchDeps {
  readonly queue: JobQueue
  readonly events: OperationEvents
  readonly log: Logger
}

/**
 * Accepts through `acceptNow` and enqueues. Without Redis it rejects with QUEUE_UNAVAILABLE before anything is
 * recorded; once recorded, a request is kept even if Redis goes away: workers enqueue it again from the catalog.
 */
export async function dispatch(deps: DispatchDeps, acceptNow: () => Promise<Accepted>): Promise<Accepted> {
  await deps.queue.ping()
  const accepted = await acceptNow()
  if (!accepted.coalesced) {
    await deps.queue
      .enqueue(accepted.operation)
      .catch((error) =>
        deps.log.warn({ err: error, operationId: accepted.operation.id }, 'enqueue left to reconciling'),
      )
  }
  return accepted
}

type Asked = Pick<NewOperation, 'type' | 'target' | 'lockKey' | 'backupId'> & {
  readonly request: OperationRequest
  /** Requests equal in this are one operation while it is under way; null: never. */
  readonly equalTo: object | null
}

function accept(deps: AcceptDeps, caller: Caller, asked: Asked): Promise<Accepted> {
  const { equalTo, ...operation } = asked
  const id = caller.job?.operationId ?? uuidv7(deps.clock.now())
  const comparable = equalTo ?? asked.request
  return deps.catalog.operations.accept({
    ...operation,
    id,
    jobId: caller.job?.jobId ?? id,
    dedupId: equalTo === null ? null : digestOf(equalTo),
    requestedBy: caller.actor,
    idempotency:
      caller.idempotencyKey === null
        ? null
        : { actor: caller.actor, key: caller.idempotencyKey, requestHash: digestOf(comparable) },
  })
}

function digestOf(value: object): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

function toBackupRequest(body: BackupBody, target: Target, factory: EngineFacts): BackupRequest {
  const mode = body.mode ?? 'full'
  const { options } = target
  const filter = body.filter ?? options.filter
  const request = {
    database: databaseOf(body, target, factory),
    groupId: null,
    format: body.format ?? options.format ?? factory.formats[0].name,
    counting: body.counting ?? options.counting ?? 'exact',
    globals: body.globals ?? options.globals ?? 'none',
    filter: filter === undefined ? null : { include: filter.include ?? [], exclude: filter.exclude ?? [] },
  } as const
  requireSupported(factory, { ...request, mode })
  if (mode === 'snapshot' && body.compression !== undefined && body.compression !== 'none') {
    throw new AppError(
      'INVALID_REQUEST',
      'a snapshot is stored as the engine opens it and cannot be compressed',
      {
        hint: "leave out 'compression', or ask for mode 'full'",
      },
    )
  }
  return {
    ...request,
    type: 'backup',
    target: target.name,
    name: body.name === undefined ? null : requireName('name', body.name),
    mode,
    kind: body.kind ?? 'manual',
    compression: mode === 'snapshot' ? 'none' : (body.compression ?? target.options.compression ?? 'zstd'),
    include: body.include ?? target.options.include ?? [],
    storage: body.storage ?? 'default',
    labels: body.labels ?? {},
    note: body.note ?? null,
    retain: body.retain ?? null,
    verify: body.verify ?? target.options.verify ?? 'structure',
  }
}

function databaseOf(body: BackupBody, target: Target, factory: EngineFacts): string | null {
  if (body.database === undefined) return null
  if (factory.servers?.isServer(target.displayUrl)) return body.database
  throw new AppError('INVALID_REQUEST', `target ${target.name} names one database, not a server with many`, {
    hint: "leave out 'database'",
  })
}

/** What an engine cannot do is refused when it is asked for, not when the database is read. */
function requireSupported(
  { engine, formats, supports }: EngineFacts,
  asked: Pick<BackupRequest, 'mode' | 'format' | 'globals' | 'filter'>,
): void {
  if (!formats.some((format) => format.name === asked.format)) {
    throw new AppError('INVALID_REQUEST', `${engine} backups have no format ${asked.format}`, {
      hint: `choose one of: ${formats.map((format) => format.name).join(', ')}`,
    })
  }
  const refused = [
    asked.mode === 'snapshot' && !supports.snapshot ? "mode 'snapshot'" : null,
    asked.globals !== 'none' && !supports.globals ? "'globals'" : null,
    asked.filter !== null && !supports.filter ? "'filter'" : null,
  ].find((what) => what !== null)
  if (refused === undefined) return
  throw new AppError('INVALID_REQUEST', `backups of ${engine} do not know ${refused}`, {
    hint: `leave it out of the request, or of the options of the target`,
  })
}

function requireStorage({ storages }: AcceptDeps, name: string): void {
  if (storages.names.includes(name)) return
  throw new AppError('INVALID_REQUEST', `no storage is called ${name}`, {
    hint: `the storages of this installation are: ${storages.names.join(', ')}`,
  })
}

async function destinationOf(
  deps: AcceptDeps,
  into: RestoreBody['into'],
): Promise<{ readonly into: RestoreDestination; readonly lockKey: string }> {
  if ('target' in into) {
    const target = await deps.catalog.targets.get(into.target)
    return { into: { target: target.name, database: into.database ?? null }, lockKey: target.lockKey }
  }
  const factory = deps.drivers.forUrl(into.url)
  const displayUrl = factory.displayUrl(into.url)
  const sealedUrl = deps.seal.seal(into.url, RESTORE_URL_PURPOSE)
  return { into: { sealedUrl, displayUrl }, lockKey: await factory.lockKeyOf(into.url) }
}
