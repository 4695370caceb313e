import type { AcceptDeps, Accepted, Caller, Operation, OperationType } from '@holdfast/core'
import {
  AppError,
  acceptBackup,
  acceptRestore,
  acceptRetention,
  acceptVerify,
  hasCode,
  isUuid,
  uuidv7,
} from '@holdfast/core'
import type { DirectRequest } from './job-payload.ts'
import { parseJobPayload, stamped, UNNAMED } from './job-payload.ts'

/** The parts of a job that matter here. */
export interface AdoptableJob {
  readonly id: string
  readonly data: unknown
  updateData(data: object): Promise<void>
}

/**
 * Finds the operation that a job carries or follows. A job of another producer is recorded first, through the same
 * use cases as every other request, and exactly once: its operation's id is known before it is recorded.
 *
 * Rejects with what is wrong about the job: INVALID_REQUEST, OPERATION_NOT_FOUND, TARGET_NOT_FOUND, …
 */
export async function adoptJob(deps: AcceptDeps, type: OperationType, job: AdoptableJob): Promise<Operation> {
  const payload = parseJobPayload(type, job.data)
  if (payload.kind === 'accepted') {
    return requireType(type, await deps.catalog.operations.get(payload.operationId))
  }
  const { request } = payload
  const operationId = payload.operationId ?? (isUuid(job.id) ? job.id : uuidv7(deps.clock.now()))
  const known = await find(deps, operationId)
  if (known !== null) return requireType(type, known)
  if (payload.operationId === null && operationId !== job.id) {
    await job.updateData(stamped(request, operationId))
  }
  const { operation } = await accept(deps, request, { jobId: job.id, operationId })
  // an equal request was under way: from now on this job follows that one, also after it has ended
  if (operation.id !== operationId) await job.updateData(stamped(request, operation.id))
  return operation
}

/** True if the job carries the operation out; false if it only follows what another job does. */
export function isCarriedBy(
  operation: Pick<Operation, 'id' | 'jobId'>,
  job: Pick<AdoptableJob, 'id'>,
): boolean {
  return job.id === operation.jobId || job.id === operation.id
}

function accept(
  deps: AcceptDeps,
  request: DirectRequest,
  job: NonNullable<Caller['job']>,
): Promise<Accepted> {
  const { requestedBy, idempotencyKey } = request.payload
  const caller: Caller = {
    actor: `queue:${requestedBy ?? UNNAMED}`,
    idempotencyKey: idempotencyKey ?? null,
    job,
  }
  switch (request.type) {
    case 'backup': {
      const { v, requestedBy, idempotencyKey, ...body } = request.payload
      return acceptBackup(deps, body, caller)
    }
    case 'restore': {
      const { v, requestedBy, idempotencyKey, backup, ...body } = request.payload
      return acceptRestore(deps, backup, body, caller)
    }
    case 'verify': {
      const { v, requestedBy, idempotencyKey, backup, ...body } = request.payload
      return acceptVerify(deps, backup, body, caller)
    }
    case 'retention':
      return acceptRetention(deps, caller)
  }
}

async function find(deps: AcceptDeps, operationId: string): Promise<Operation | null> {
  try {
    return await deps.catalog.operations.get(operationId)
  } catch (error) {
    if (hasCode(error, 'OPERATION_NOT_FOUND')) return null
    throw error
  }
}

function requireType(type: OperationType, operation: Operation): Operation {
  if (operation.type === type) return operation
  throw new AppError('INVALID_REQUEST', `operation ${operation.id} is not a ${type}`, {
    hint: `add its job to the queue '${operation.type}'`,
  })
}
