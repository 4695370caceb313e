import type { BackupRequest, NewOperation, Operation, OperationRequest } from '@holdfast/core'
import { AppError, isFinished, isoNow } from '@holdfast/core/domain'
import { backupNotFound } from './backup-store.ts'
import type { DatabaseTransaction } from './engine.ts'
import { toLabelsJson } from './labels.ts'
import { operationNotFound } from './operation-read.ts'
import { isUnfinished } from './predicates.ts'
import { toJson, toOperation } from './rows.ts'
import type { Session } from './session.ts'
import { TryAgain } from './session.ts'
import type { NewBackupRow, OperationRow, TargetRow } from './tables.ts'
import { targetNotFound } from './target-store.ts'

interface Accepted {
  readonly operation: Operation
  readonly coalesced: boolean
}

const KEEP_IDEMPOTENCY_KEYS_MS = 7 * 24 * 3_600_000

/**
 * Records a request in one transaction. The order of the steps is the order of the promises: an answer given before
 * is given again, what is asked for must be possible, equal work under way is shared, and only then something is made.
 */
export function acceptOperation(session: Session, asked: NewOperation): Promise<Accepted> {
  return session.transact(async (trx) => {
    const earlier = (await answeredBefore(session, trx, asked)) ?? (await sameId(trx, asked.id))
    if (earlier !== null) return earlier
    const target = await requireTarget(session, trx, asked.request)
    await requireBackup(session, trx, asked)
    await requireOpenGroup(session, trx, asked.request)
    const row = await insertOperation(session, trx, asked)
    if (row === undefined) return await shareEqual(session, trx, asked)
    if (asked.request.type === 'backup') await insertBackup(session, trx, asked, asked.request, target)
    await rememberAnswer(session, trx, asked, row.id)
    return { operation: toOperation(row), coalesced: false }
  })
}

async function answeredBefore(
  session: Session,
  trx: DatabaseTransaction,
  asked: NewOperation,
): Promise<Accepted | null> {
  if (asked.idempotency === null) return null
  const { actor, key, requestHash } = asked.idempotency
  const oldest = new Date(session.clock.now() - KEEP_IDEMPOTENCY_KEYS_MS).toISOString()
  await trx.deleteFrom('idempotency_keys').where('created_at', '<', oldest).execute()
  const known = await trx
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'operation_id'])
    .where('actor', '=', actor)
    .where('key', '=', key)
    .executeTakeFirst()
  if (known === undefined) return null
  if (known.request_hash !== requestHash) {
    throw new AppError('IDEMPOTENCY_CONFLICT', 'this idempotency key was used for another request', {
      hint: 'use a new key for each request, and the same one only to repeat it',
    })
  }
  const row = await trx
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', known.operation_id)
    .executeTakeFirstOrThrow()
  return { operation: toOperation(row), coalesced: true }
}

async function sameId(trx: DatabaseTransaction, id: string): Promise<Accepted | null> {
  const row = await trx.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : { operation: toOperation(row), coalesced: false }
}

/** The target that is backed up or restored into, locked against its removal. */
async function requireTarget(
  session: Session,
  trx: DatabaseTransaction,
  request: OperationRequest,
): Promise<TargetRow | null> {
  const name = targetOf(request)
  if (name === null) return null
  const row = await trx
    .selectFrom('targets')
    .selectAll()
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .$if(session.engine.lockRows, (query) => query.forShare())
    .executeTakeFirst()
  if (row === undefined) throw targetNotFound(name)
  return row
}

function targetOf(request: OperationRequest): string | null {
  if (request.type === 'backup') return request.target
  return request.type === 'restore' && 'target' in request.into ? request.into.target : null
}

/** The backup that is restored or verified, locked against its deletion. */
async function requireBackup(session: Session, trx: DatabaseTransaction, asked: NewOperation): Promise<void> {
  const { type } = asked.request
  if (asked.backupId === null || (type !== 'restore' && type !== 'verify')) return
  const row = await trx
    .selectFrom('backups')
    .select('status')
    .where('id', '=', asked.backupId)
    .$if(session.engine.lockRows, (query) => query.forShare())
    .executeTakeFirst()
  if (row === undefined) throw backupNotFound(asked.backupId)
  if (row.status === 'completed' || (row.status === 'damaged' && type === 'verify')) return
  throw new AppError('BACKUP_NOT_USABLE', `a backup that is ${row.status} cannot be used for this`, {
    hint:
      row.status === 'damaged'
        ? 'choose another backup, or verify this one again'
        : 'choose a backup that is completed',
  })
}

/** The group that a backup is to be a member of, locked against its end: whoever was lost adds nothing after it. */
async function requireOpenGroup(
  session: Session,
  trx: DatabaseTransaction,
  request: OperationRequest,
): Promise<void> {
  const id = groupOf(request)
  if (id === null) return
  const row = await trx
    .selectFrom('operations')
    .select(['state', 'cancel_requested'])
    .where('id', '=', id)
    .$if(session.engine.lockRows, (query) => query.forShare())
    .executeTakeFirst()
  if (row === undefined) throw operationNotFound(id)
  if (!isFinished(row) && row.cancel_requested === 0) return
  throw new AppError('OPERATION_FINISHED', `the group ${id} takes no more members`)
}

function groupOf(request: OperationRequest): string | null {
  // requests recorded by the first release do not have it
  return request.type === 'backup' ? (request.groupId ?? null) : null
}

/** Undefined if an equal operation is under way, or one with this id was made at this very moment. */
function insertOperation(
  session: Session,
  trx: DatabaseTransaction,
  asked: NewOperation,
): Promise<OperationRow | undefined> {
  return trx
    .insertInto('operations')
    .values({
      id: asked.id,
      job_id: asked.jobId,
      type: asked.type,
      request: toJson(asked.request),
      target: asked.target,
      backup_id: asked.backupId,
      group_id: groupOf(asked.request),
      lock_key: asked.lockKey,
      dedup_id: asked.dedupId,
      state: 'queued',
      progress: toJson({ bytes: 0 }),
      requested_by: asked.requestedBy,
      attempts: 0,
      cancel_requested: 0,
      not_before: 0,
      created_at: isoNow(session.clock),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst()
}

async function shareEqual(
  session: Session,
  trx: DatabaseTransaction,
  asked: NewOperation,
): Promise<Accepted> {
  const equal =
    asked.dedupId === null
      ? undefined
      : await trx
          .selectFrom('operations')
          .selectAll()
          .where('dedup_id', '=', asked.dedupId)
          .where(isUnfinished)
          .$if(session.engine.lockRows, (query) => query.forUpdate())
          .executeTakeFirst()
  // it ended just now, or the conflict was one of ids
  if (equal === undefined) throw new TryAgain()
  await rememberAnswer(session, trx, asked, equal.id)
  return { operation: toOperation(equal), coalesced: true }
}

async function insertBackup(
  session: Session,
  trx: DatabaseTransaction,
  asked: NewOperation,
  request: BackupRequest,
  target: TargetRow | null,
): Promise<void> {
  // a group: its members have a backup each
  if (asked.backupId === null) return
  if (target === null) throw new TypeError('a backup needs its target')
  const inserted = await trx
    .insertInto('backups')
    .values(backupValues(asked.backupId, asked.requestedBy, request, target, isoNow(session.clock)))
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (inserted !== undefined) return
  const taken = await trx
    .selectFrom('backups')
    .select('id')
    .where('id', '=', asked.backupId)
    .executeTakeFirst()
  if (taken !== undefined) throw new TypeError(`the backup id ${asked.backupId} is in use`)
  if (request.name === null) throw new TypeError('the group has a backup of this database')
  throw new AppError('BACKUP_EXISTS', `a backup is called ${request.name} already`, {
    hint: 'choose another name, or delete the backup that has it',
  })
}

function backupValues(
  id: string,
  requestedBy: string,
  request: BackupRequest,
  target: TargetRow,
  now: string,
): NewBackupRow {
  return {
    id,
    name: request.name,
    target: target.name,
    engine: target.engine,
    mode: request.mode,
    kind: request.kind,
    status: 'pending',
    database: request.database ?? null,
    group_id: request.groupId ?? null,
    compression: request.compression,
    encryption: 'none',
    storage: request.storage,
    environment: target.environment,
    labels: toLabelsJson(request.labels),
    note: request.note,
    pinned: 0,
    retain: request.retain,
    requested_by: requestedBy,
    created_at: now,
    suspicious: 0,
  }
}

async function rememberAnswer(
  session: Session,
  trx: DatabaseTransaction,
  asked: NewOperation,
  operationId: string,
): Promise<void> {
  if (asked.idempotency === null) return
  const { actor, key, requestHash } = asked.idempotency
  const inserted = await trx
    .insertInto('idempotency_keys')
    .values({
      actor,
      key,
      request_hash: requestHash,
      operation_id: operationId,
      created_at: isoNow(session.clock),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('key')
    .executeTakeFirst()
  // the same key at the same moment: the other request won, and its answer is found from the start
  if (inserted === undefined) throw new TryAgain()
}
