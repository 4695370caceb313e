/**
 * Every failure that an API client or an operator can meet, with whether waiting alone can heal it.
 * Each has a section in docs/errors.md; a test compares the two.
 */
const CATALOGUE = {
  INVALID_REQUEST: { retryable: false },
  INVALID_CONFIGURATION: { retryable: false },
  UNAUTHENTICATED: { retryable: false },
  FORBIDDEN: { retryable: false },
  NOT_FOUND: { retryable: false },
  RATE_LIMITED: { retryable: true },
  INTERNAL: { retryable: false },
  TARGET_NOT_FOUND: { retryable: false },
  TARGET_EXISTS: { retryable: false },
  TARGET_BUSY: { retryable: true },
  BACKUP_NOT_FOUND: { retryable: false },
  BACKUP_EXISTS: { retryable: false },
  BACKUP_NOT_USABLE: { retryable: false },
  BACKUP_IN_USE: { retryable: true },
  OPERATION_NOT_FOUND: { retryable: false },
  OPERATION_FINISHED: { retryable: false },
  SCHEDULE_NOT_FOUND: { retryable: false },
  KEY_NOT_FOUND: { retryable: false },
  KEY_EXISTS: { retryable: false },
  IDEMPOTENCY_CONFLICT: { retryable: false },
  UNDO_NOT_POSSIBLE: { retryable: false },
  CONFIRMATION_REQUIRED: { retryable: false },
  DESTINATION_EXISTS: { retryable: false },
  RESTORE_NOT_POSSIBLE: { retryable: false },
  PATH_NOT_ALLOWED: { retryable: false },
  UNSUPPORTED_ENGINE: { retryable: false },
  INVALID_CONNECTION: { retryable: false },
  DATABASE_NOT_FOUND: { retryable: false },
  DATABASE_EMPTY: { retryable: false },
  DATABASE_INVALID: { retryable: false },
  DATABASE_CORRUPT: { retryable: false },
  DATABASE_LOCKED: { retryable: true },
  DATABASE_CHANGED: { retryable: true },
  DATABASE_ACCESS_DENIED: { retryable: false },
  TARGET_UNREACHABLE: { retryable: true },
  FILES_CHANGED: { retryable: true },
  TOOL_FAILED: { retryable: false },
  TOOL_MISSING: { retryable: false },
  TOOL_TOO_OLD: { retryable: false },
  TEMPORARY_SPACE_FULL: { retryable: false },
  STORAGE_FULL: { retryable: false },
  STORAGE_UNAVAILABLE: { retryable: true },
  STORAGE_MISMATCH: { retryable: false },
  OBJECT_NOT_FOUND: { retryable: false },
  OBJECT_EXISTS: { retryable: false },
  ARTIFACT_CORRUPT: { retryable: false },
  MANIFEST_MISSING: { retryable: false },
  MANIFEST_INVALID: { retryable: false },
  MANIFEST_UNSUPPORTED: { retryable: false },
  MANIFEST_UNTRUSTED: { retryable: false },
  GROUP_INCOMPLETE: { retryable: false },
  OUTCOME_UNKNOWN: { retryable: false },
  VERIFICATION_FAILED: { retryable: false },
  CATALOG_UNAVAILABLE: { retryable: true },
  CATALOG_MISMATCH: { retryable: false },
  QUEUE_UNAVAILABLE: { retryable: true },
  MASTER_KEY_MISSING: { retryable: false },
  MASTER_KEY_WRONG: { retryable: false },
  FENCE_LOST: { retryable: false },
  WORKER_LOST: { retryable: false },
  CANCELLED: { retryable: false },
} as const satisfies Record<string, { readonly retryable: boolean }>

/** A stable name for one kind of failure; it never changes its meaning. */
export type ErrorCode = keyof typeof CATALOGUE

/** All codes, for the document test and for exhaustive tables. */
// Object.keys loses the literal type; the object above is the only source of its keys
export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[]

/** Options of an {@link AppError}: what the operator should do, and what lay beneath. */
export interface AppErrorOptions {
  readonly hint?: string
  readonly cause?: unknown
  /** Overrides the catalogue where the situation is known better. */
  readonly retryable?: boolean
}

/**
 * A failure we foresaw. Message and hint are safe to show: never put a secret, a query or row data in them.
 * Whatever is not an AppError is a bug and is reported as an internal error.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly hint: string | null
  /** Could the same call succeed later with nothing changed? The queue looks at this only. */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.hint = options.hint ?? null
    this.retryable = options.retryable ?? CATALOGUE[code].retryable
  }
}

/** The part of a failure that is stored and shown. */
export interface Failure {
  readonly code: ErrorCode
  readonly detail: string
  readonly hint: string | null
}

/** Turns anything thrown into what may be shown: an unforeseen error keeps its text to itself. */
export function toFailure(error: unknown): Failure {
  if (error instanceof AppError) return { code: error.code, detail: error.message, hint: error.hint }
  return {
    code: 'INTERNAL',
    detail: 'internal error',
    hint: 'the log of the process that did the work has the details',
  }
}

/** True for an {@link AppError} with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code
}

/** Why the signal was aborted, as a failure: CANCELLED, or the AppError that was given as the reason. */
export function cancellation(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason
  return new AppError('CANCELLED', 'cancelled', { cause: signal.reason })
}

/** Throws the {@link cancellation} if the signal is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw cancellation(signal)
}
