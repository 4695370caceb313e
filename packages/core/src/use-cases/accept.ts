import type { BackupBody, VerifyBody } from '../contract/requests.ts'
import type { BackupRequest, Operation } from '../domain/operation.ts'
import { uuidv7 } from '../domain/uuid.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../ports/logger.ts'
import type { JobQueue, OperationEvents } from '../ports/queue.ts'
import { toBackupRequest } from './backup-request.ts'
import type { AcceptDeps, Accepted, Caller } from './record-request.ts'
import { recordRequest } from './record-request.ts'
import { lockKeyOfTarget, namesServer } from './target-url.ts'

/**
 * Records a backup of one database; or, of a target that names a server and with no database named, of all of them: one
 * operation, a group, which has no backup of its own. Defaults come from the target's options, then from ours.
 */
export async function acceptBackup(deps: AcceptDeps, body: BackupBody, caller: Caller): Promise<Accepted> {
  const target = await deps.catalog.targets.get(body.target)
  const factory = deps.drivers.byEngine(target.engine)
  const request = toBackupRequest(body, target, factory)
  requireStorage(deps, request.storage)
  const isGroup = request.database === null && namesServer(factory, target)
  // a backup before a migration must show the writes made before it was asked for: an equal one under way may not
  const mayCoalesce = request.kind === 'manual' || request.kind === 'scheduled'
  return recordRequest(deps, caller, {
    type: 'backup',
    request,
    target: target.name,
    lockKey: await lockKeyOfTarget(deps, target, request.database),
    backupId: isGroup ? null : uuidv7(deps.clock.now()),
    equalTo: mayCoalesce ? request : null,
  })
}

/** A member of a group: a backup of one database of its server, as the group was asked for. */
export interface NewMember {
  readonly group: Pick<Operation, 'id' | 'requestedBy'>
  /** Chosen beforehand, so that a member that is recorded again is the same one. */
  readonly operationId: string
  readonly request: BackupRequest
}

/** Records a member of a group. Rejects with OPERATION_FINISHED if the group takes no more. */
export async function acceptMember(
  deps: Pick<AcceptDeps, 'catalog' | 'clock' | 'seal' | 'drivers'>,
  { group, operationId, request }: NewMember,
): Promise<Accepted> {
  const target = await deps.catalog.targets.get(request.target)
  const job = { jobId: operationId, operationId }
  return recordRequest(
    deps,
    { actor: group.requestedBy, idempotencyKey: null, job },
    {
      type: 'backup',
      request,
      target: target.name,
      lockKey: await lockKeyOfTarget(deps, target, request.database),
      backupId: uuidv7(deps.clock.now()),
      equalTo: null,
    },
  )
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
  return recordRequest(deps, caller, {
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
  return recordRequest(deps, caller, {
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

function requireStorage({ storages }: AcceptDeps, name: string): void {
  if (storages.names.includes(name)) return
  throw new AppError('INVALID_REQUEST', `no storage is called ${name}`, {
    hint: `the storages of this installation are: ${storages.names.join(', ')}`,
  })
}
