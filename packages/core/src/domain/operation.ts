import type { Failure } from '../errors.ts'
import type { BackupKind, BackupMode, Counting, DumpFilter, GlobalsChoice } from './backup.ts'
import type { Compression, VerificationLevel } from './target.ts'

export type OperationType = 'backup' | 'restore' | 'verify' | 'retention'
export type OperationState = 'queued' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'

export const OPERATION_TYPES = [
  'backup',
  'restore',
  'verify',
  'retention',
] as const satisfies readonly OperationType[]
export const FINISHED_STATES = [
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly OperationState[]

/** True once nothing more will happen to the operation. */
export function isFinished(operation: Pick<Operation, 'state'>): boolean {
  return FINISHED_STATES.some((state) => state === operation.state)
}

/** How far a running operation is. `percent` (0 to 100) is left out where the total is unknown. */
export interface Progress {
  readonly percent?: number
  readonly bytes: number
  readonly totalBytes?: number
  /** Tables and the like, where the engine counts them. */
  readonly objects?: number
  readonly totalObjects?: number
}

/** A backup as asked for, every default filled in. */
export interface BackupRequest {
  readonly type: 'backup'
  readonly target: string
  readonly name: string | null
  readonly mode: BackupMode
  readonly kind: BackupKind
  /** Of a target that names a server: the database; null there means all of them, as one group. */
  readonly database: string | null
  /** The operation of the group to which this belongs. */
  readonly groupId: string | null
  readonly format: string
  readonly counting: Counting
  readonly globals: GlobalsChoice
  readonly filter: DumpFilter | null
  readonly compression: Compression
  readonly include: readonly string[]
  readonly storage: string
  readonly labels: Readonly<Record<string, string>>
  readonly note: string | null
  readonly retain: string | null
  readonly verify: VerificationLevel
}

/** Where a restore goes: a registered target, or a URL that is sealed with the operation. */
export type RestoreDestination =
  | { readonly target: string; readonly database: string | null }
  | { readonly sealedUrl: string; readonly displayUrl: string }

/** A restore as asked for. `confirm` must equal the destination's name where data exists. */
export interface RestoreRequest {
  readonly type: 'restore'
  readonly backupId: string
  readonly into: RestoreDestination
  readonly dryRun: boolean
  readonly confirm: string | null
  readonly overwrite: boolean
  readonly keepOwners: boolean
  /** The account (`user@host`) in place of the definers of what is restored; null: each keeps its own. */
  readonly definer: string | null
  /** Directory (absolute) that receives the included directories; null: see docs/restore.md. */
  readonly filesInto: string | null
}

/** Takes back a finished restore while what it replaced is still kept. */
export interface UndoRequest {
  readonly type: 'undo'
  readonly restoreId: string
}

export interface VerifyRequest {
  readonly type: 'verify'
  readonly backupId: string
  readonly level: VerificationLevel
}

/** Removes what has expired: backups past their `expiresAt` and what restores had kept aside. */
export interface RetentionRequest {
  readonly type: 'retention'
}

export type OperationRequest = BackupRequest | RestoreRequest | UndoRequest | VerifyRequest | RetentionRequest

/** JSON-shaped outcome of an operation: counts, ids and texts, never secrets. */
export type OperationResult = Readonly<Record<string, unknown>>

/** One unit of work asked for, and what became of it. */
export interface Operation {
  readonly id: string
  /** Acceptance number: operations on one database run in this order. */
  readonly seq: number
  readonly type: OperationType
  readonly request: OperationRequest
  readonly target: string | null
  readonly backupId: string | null
  readonly lockKey: string
  readonly state: OperationState
  readonly phase: string | null
  readonly progress: Progress
  readonly result: OperationResult | null
  readonly error: Failure | null
  readonly requestedBy: string
  /** Id of the BullMQ job that carries it. Equal to `id` unless another producer chose it. */
  readonly jobId: string
  /** How often a worker has begun it. */
  readonly attempts: number
  readonly cancelRequested: boolean
  /** What a restore has begun, so that whoever comes after a crash can finish or reverse it. */
  readonly journal: string | null
  readonly createdAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

/** What a restore replaced, kept aside until it expires or the restore is undone. */
export interface Replaced {
  readonly operationId: string
  readonly target: string | null
  readonly engine: string
  /** The driver's own ticket for undo and removal. */
  readonly ticket: string
  /** Where it lies, for people. */
  readonly location: string
  readonly createdAt: string
  readonly expiresAt: string
}
