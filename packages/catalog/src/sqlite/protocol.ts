import type { Catalog, ErrorCode } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'

/** How the thread is started. */
export interface ThreadOptions {
  readonly file: string
  /** Set when the catalog was open before: the file must be there, with this id. */
  readonly expectedId: string | null
  readonly waitMs: number
}

/** Every method of a catalog that the thread carries out, by the store it belongs to; the record makes none missing. */
export const METHODS = {
  targets: { add: true, get: true, sealedUrl: true, list: true, change: true, remove: true },
  backups: {
    get: true,
    latest: true,
    list: true,
    change: true,
    beginDelete: true,
    endDelete: true,
    listExpired: true,
  },
  operations: {
    accept: true,
    get: true,
    listMembers: true,
    list: true,
    listUnfinished: true,
    setLockKey: true,
    acquire: true,
    renew: true,
    confirm: true,
    setProgress: true,
    setJournal: true,
    end: true,
    handBack: true,
    pause: true,
    nextInLine: true,
    failUnstarted: true,
    requestCancel: true,
  },
  replaced: { get: true, list: true, listExpired: true, remove: true },
  keys: { add: true, find: true, list: true, revoke: true },
  audit: { add: true, list: true },
  schedules: { add: true, get: true, list: true, change: true, remove: true },
} as const satisfies { readonly [Store in StoreName]: Readonly<Record<keyof Catalog[Store], true>> }

export type StoreName = {
  [Name in keyof Catalog]: Catalog[Name] extends string | ((...args: never[]) => unknown) ? never : Name
}[keyof Catalog]

/** One call, with the caller's clocks where they are not the machine's. */
export interface Call {
  readonly id: number
  /** `store.method`, or the method of the catalog itself. */
  readonly path: string
  readonly args: readonly unknown[]
  readonly waitMs: number
  readonly nowMs: number | null
  readonly leaseNowMs: number | null
}

export type ToThread = { readonly kind: 'call'; readonly call: Call } | { readonly kind: 'close' }

export type FromThread =
  | { readonly kind: 'opened'; readonly catalogId: string; readonly applied: readonly string[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: SentError }
  /** Could not open, or lost its file: the thread ends after this. */
  | { readonly kind: 'broken'; readonly error: SentError }

/** An error as it crosses between threads, where classes do not. */
export type SentError =
  | {
      readonly kind: 'app'
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string | null
      readonly retryable: boolean
      readonly cause: string | null
    }
  | { readonly kind: 'bug'; readonly message: string; readonly stack: string | null }

/** What may cross of anything thrown. */
export function sendError(error: unknown): SentError {
  if (error instanceof AppError) {
    const { code, message, hint, retryable, cause } = error
    return {
      kind: 'app',
      code,
      message,
      hint,
      retryable,
      cause: cause instanceof Error ? cause.message : null,
    }
  }
  if (error instanceof Error) return { kind: 'bug', message: error.message, stack: error.stack ?? null }
  return { kind: 'bug', message: String(error), stack: null }
}

/** The error again, on the other side. */
export function receiveError(sent: SentError): Error {
  if (sent.kind === 'bug') {
    const error = new Error(sent.message)
    return sent.stack === null ? error : Object.assign(error, { stack: sent.stack })
  }
  const { code, message, hint, retryable, cause } = sent
  return new AppError(code, message, {
    retryable,
    ...(hint !== null && { hint }),
    ...(cause !== null && { cause: new Error(cause) }),
  })
}
