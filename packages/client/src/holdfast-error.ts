/** Codes that the client itself gives; all others come from the service (docs/errors.md). */
export type ClientErrorCode =
  /** Nobody answered in time at this address. */
  | 'UNREACHABLE'
  /** Whatever answered is not Holdfast. */
  | 'UNEXPECTED_ANSWER'
  /** Waiting took longer than it was allowed to. */
  | 'TIMEOUT'
  /** The job is not, or not any more, in its queue. */
  | 'JOB_NOT_FOUND'
  /** The job failed without a reason of Holdfast's. */
  | 'JOB_FAILED'

/** What is known about a failure. */
export interface HoldfastErrorFields {
  readonly code: string
  readonly detail: string
  readonly hint?: string | null
  readonly status?: number | null
  readonly requestId?: string | null
  readonly retryAfterMs?: number | null
  readonly cause?: unknown
}

/** The one error that this package throws. Its texts are safe to show: they never hold a key or a password. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  /** Stable: a code of docs/errors.md or a {@link ClientErrorCode}. */
  readonly code: string
  readonly detail: string
  /** What to do about it, if anybody knows. */
  readonly hint: string | null
  /** The HTTP status; null if no HTTP answer said so. */
  readonly status: number | null
  /** By which the service's log knows the request. */
  readonly requestId: string | null
  /** How long the service asks to be left alone; null if it does not. */
  readonly retryAfterMs: number | null

  constructor(fields: HoldfastErrorFields) {
    super(fields.detail, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = fields.code
    this.detail = fields.detail
    this.hint = fields.hint ?? null
    this.status = fields.status ?? null
    this.requestId = fields.requestId ?? null
    this.retryAfterMs = fields.retryAfterMs ?? null
  }

  toJSON(): Readonly<Record<string, unknown>> {
    const { code, detail, hint, status, requestId } = this
    return { code, detail, hint, status, requestId }
  }
}
