import type { ErrorCode } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_TYPE, problem } from './problem.ts'

/** The only place where a code meets an HTTP status. The Record makes a new code a type error. */
export const STATUS: Record<ErrorCode, number> = {
  INVALID_REQUEST: 400,
  INVALID_CONFIGURATION: 500,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  TARGET_NOT_FOUND: 404,
  TARGET_EXISTS: 409,
  TARGET_BUSY: 409,
  BACKUP_NOT_FOUND: 404,
  BACKUP_EXISTS: 409,
  BACKUP_NOT_USABLE: 409,
  BACKUP_IN_USE: 409,
  OPERATION_NOT_FOUND: 404,
  OPERATION_FINISHED: 409,
  SCHEDULE_NOT_FOUND: 404,
  KEY_NOT_FOUND: 404,
  KEY_EXISTS: 409,
  IDEMPOTENCY_CONFLICT: 409,
  UNDO_NOT_POSSIBLE: 409,
  CONFIRMATION_REQUIRED: 409,
  DESTINATION_EXISTS: 409,
  RESTORE_NOT_POSSIBLE: 409,
  PATH_NOT_ALLOWED: 422,
  UNSUPPORTED_ENGINE: 422,
  INVALID_CONNECTION: 422,
  DATABASE_NOT_FOUND: 422,
  DATABASE_EMPTY: 422,
  DATABASE_INVALID: 422,
  DATABASE_CORRUPT: 422,
  DATABASE_LOCKED: 409,
  DATABASE_CHANGED: 409,
  DATABASE_ACCESS_DENIED: 422,
  TARGET_UNREACHABLE: 502,
  FILES_CHANGED: 409,
  TOOL_FAILED: 502,
  TOOL_MISSING: 502,
  TOOL_TOO_OLD: 502,
  TEMPORARY_SPACE_FULL: 507,
  STORAGE_FULL: 507,
  STORAGE_UNAVAILABLE: 503,
  STORAGE_MISMATCH: 503,
  OBJECT_NOT_FOUND: 404,
  OBJECT_EXISTS: 409,
  ARTIFACT_CORRUPT: 409,
  MANIFEST_MISSING: 409,
  MANIFEST_INVALID: 409,
  MANIFEST_UNSUPPORTED: 409,
  MANIFEST_UNTRUSTED: 409,
  GROUP_INCOMPLETE: 409,
  OUTCOME_UNKNOWN: 502,
  VERIFICATION_FAILED: 409,
  CATALOG_UNAVAILABLE: 503,
  CATALOG_MISMATCH: 503,
  QUEUE_UNAVAILABLE: 503,
  MASTER_KEY_MISSING: 503,
  MASTER_KEY_WRONG: 503,
  FENCE_LOST: 409,
  WORKER_LOST: 503,
  CANCELLED: 409,
}

const RETRY_AFTER_S = 5

/** Turns whatever a route threw into a problem. What nobody foresaw is logged here and keeps its text to itself. */
export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const foreseen = toAppError(error)
  if (foreseen) {
    const status = foreseen.status ?? STATUS[foreseen.error.code]
    const { code, message, cause } = foreseen.error
    // what the caller did wrong needs no stack; what is wrong with the service does
    if (status < 500) request.log.info({ code, detail: message }, 'request refused')
    else request.log.warn({ code, detail: message, err: cause ?? foreseen.error }, 'request failed')
    return sendProblem(request, reply, status, foreseen.error)
  }
  request.log.error({ err: error }, 'unexpected error')
  return sendProblem(request, reply, 500, new AppError('INTERNAL', 'internal error', { hint: INTERNAL_HINT }))
}

const INTERNAL_HINT = 'the log of the API has the details under this request id'

/** Answers with a problem, and with the headers that belong to its status. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  error: AppError,
): FastifyReply {
  if ((status === 429 || status === 503) && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', RETRY_AFTER_S)
  }
  const failure = { code: error.code, detail: error.message, hint: error.hint }
  return reply
    .code(status)
    .type(PROBLEM_TYPE)
    .send(problem(status, failure, request.id))
}

interface Foreseen {
  readonly error: AppError
  /** Set where HTTP itself knows better than the code. */
  readonly status: number | null
}

function toAppError(error: unknown): Foreseen | null {
  if (error instanceof AppError) return { error, status: null }
  // only what was sent is ever decoded here
  if (error instanceof URIError) {
    return { error: new AppError('INVALID_REQUEST', 'the request holds a malformed escape'), status: 400 }
  }
  if (!isFastifyError(error)) return null
  const { statusCode: status = 500, code } = error
  if (status < 400 || status > 499) return null
  // the framework's own messages may quote the request, so that they are never passed on
  const detail = FRAMEWORK_DETAILS[code] ?? 'the request is not valid'
  return { error: new AppError('INVALID_REQUEST', detail), status }
}

const FRAMEWORK_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'a body must be of type application/json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is larger than 64 KiB',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as its content-length says',
  FST_ERR_BAD_URL: 'the path is not a valid URL path',
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && 'statusCode' in error
}
