import type { BackupRequest, RestoreRequest, VerifyRequest } from './requests.ts'

// What the jobs of other services hold; schemas/*.json describe the same. Never a secret: jobs are no place for one.

/** Queues that other services may add jobs to. */
export type RequestQueue = 'backup' | 'restore' | 'verify' | 'retention'

/** What every payload may say about its origin. */
export interface PayloadOrigin {
  /** Version of the payload; filled in. */
  v?: 1
  /** Who asks, for the audit trail; the producer's `requestedBy` unless given. */
  requestedBy?: string
  /** A later job with the same key, from the same asker, is the same request. */
  idempotencyKey?: string
}

export interface BackupPayload extends PayloadOrigin, BackupRequest {}

/** Names targets only: a URL may hold a secret. */
export interface RestorePayload extends PayloadOrigin, Omit<RestoreRequest, 'into'> {
  /** Id or name. */
  backup: string
  into: { target: string; database?: string }
}

export interface VerifyPayload extends PayloadOrigin, VerifyRequest {
  /** Id or name. */
  backup: string
}

export interface RetentionPayload extends PayloadOrigin {}
