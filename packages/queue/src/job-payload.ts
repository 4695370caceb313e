import type {
  BackupPayload,
  OperationType,
  RestorePayload,
  RetentionPayload,
  VerifyPayload,
} from '@holdfast/core'
import { AcceptedPayload, AppError, DIRECT_PAYLOADS, isUuid, validate } from '@holdfast/core'

/** Who asked, where a producer does not say. */
export const UNNAMED = 'unnamed'

/** A request that came as a job, with the type that its queue says. */
export type DirectRequest =
  | { readonly type: 'backup'; readonly payload: BackupPayload }
  | { readonly type: 'restore'; readonly payload: RestorePayload }
  | { readonly type: 'verify'; readonly payload: VerifyPayload }
  | { readonly type: 'retention'; readonly payload: RetentionPayload }

/** What a job asks for. */
export type JobPayload =
  /** An operation that the catalog holds. */
  | { readonly kind: 'accepted'; readonly operationId: string }
  /** A request of another producer. `operationId` is set once a worker has begun to adopt it. */
  | { readonly kind: 'direct'; readonly request: DirectRequest; readonly operationId: string | null }

/** Reads the data of a job in the queue of this type. Throws INVALID_REQUEST saying what is wrong, never the value. */
export function parseJobPayload(type: OperationType, data: unknown): JobPayload {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw invalid(type, 'its data must be a JSON object')
  }
  const fields = new Map<string, unknown>(Object.entries(data))
  if (fields.get('v') !== 1) throw invalid(type, `its version 'v' must be 1, the only one this worker knows`)
  const operationId = fields.get('operationId')
  if (operationId === undefined)
    return { kind: 'direct', request: parseDirect(type, data), operationId: null }
  if (fields.size === 2) {
    return { kind: 'accepted', operationId: validate(`a ${type} job`, AcceptedPayload, data).operationId }
  }
  if (typeof operationId !== 'string' || !isUuid(operationId)) {
    throw invalid(type, "its 'operationId' must be a UUID")
  }
  fields.delete('operationId')
  return { kind: 'direct', request: parseDirect(type, Object.fromEntries(fields)), operationId }
}

/** Notes in the data of a direct job which operation it is. Told from an accepted one by having a third field. */
export function stamped(request: DirectRequest, operationId: string): object {
  const { requestedBy = UNNAMED } = request.payload
  return { ...request.payload, requestedBy, operationId }
}

function parseDirect(type: OperationType, data: unknown): DirectRequest {
  const what = `a ${type} job`
  switch (type) {
    case 'backup':
      return { type, payload: validate(what, DIRECT_PAYLOADS.backup, data) }
    case 'restore':
      return { type, payload: validate(what, DIRECT_PAYLOADS.restore, data) }
    case 'verify':
      return { type, payload: validate(what, DIRECT_PAYLOADS.verify, data) }
    case 'retention':
      return { type, payload: validate(what, DIRECT_PAYLOADS.retention, data) }
  }
}

function invalid(type: OperationType, why: string): AppError {
  return new AppError('INVALID_REQUEST', `a ${type} job is not valid: ${why}`, {
    hint: 'docs/enqueueing.md describes the payloads',
  })
}
