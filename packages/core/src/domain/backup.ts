import type { Failure } from '../errors.ts'
import type { Compression, VerificationLevel } from './target.ts'

export type BackupStatus =
  | 'pending'
  | 'in_progress'
  | 'completed'
  | 'failed'
  | 'expired'
  | 'deleted'
  | 'damaged'
export type BackupMode = 'full' | 'snapshot'
export type BackupKind = 'manual' | 'scheduled' | 'pre-migration' | 'pre-restore'

/**
 * `exact`: rows counted, and contents digested where the engine can, at the moment of the dump. `estimate`: what the
 * engine's statistics say. `off`: nothing.
 */
export type Counting = 'exact' | 'estimate' | 'off'

/** Roles and other things of the server, not of one database: with their passwords' hashes, without, or not at all. */
export type GlobalsChoice = 'with-passwords' | 'without-passwords' | 'none'

/** Parts of a database by name: schemas, or tables as `schema.table`; `*` and `?` stand for any letters. */
export interface DumpFilter {
  /** Empty: all of them. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** The only legal changes of a backup's status; the catalog refuses every other. */
export const BACKUP_TRANSITIONS = {
  pending: ['in_progress', 'failed'],
  in_progress: ['completed', 'failed'],
  completed: ['expired', 'damaged'],
  damaged: ['completed', 'expired'],
  expired: ['deleted'],
  failed: ['deleted'],
  deleted: [],
} as const satisfies Record<BackupStatus, readonly BackupStatus[]>

/** The outcome of the last verification of a backup. */
export interface Verification {
  readonly level: VerificationLevel
  readonly valid: boolean
  readonly message: string
  readonly at: string
}

/** What a finished dump tells about the database at the pinned moment. Shared by manifest and catalog. */
export interface BackupFacts {
  readonly format: string
  readonly sizeBytes: number
  readonly storedBytes: number
  readonly recordCount: number
  readonly rowCounts: Readonly<Record<string, number>>
  readonly counting: Counting
  readonly fileCount: number
  readonly serverVersion: string
  readonly toolVersion: string
  readonly storagePath: string
  /** SHA-256 (hex) of the plain bytes of the dump, as read from the source. */
  readonly checksum: string
  readonly warnings: readonly string[]
  readonly suspicious: boolean
  readonly completedAt: string
  readonly consistentAt: string
  readonly durationMs: number
  readonly engineDetails: Readonly<Record<string, string | number | boolean>>
}

/** One restore point of one target. Facts are null until it is completed. */
export interface Backup {
  readonly id: string
  readonly name: string | null
  readonly target: string
  readonly engine: string
  readonly mode: BackupMode
  readonly kind: BackupKind
  readonly status: BackupStatus
  readonly parentId: string | null
  /** Of a target that names a server: which of its databases this is; null otherwise. */
  readonly database: string | null
  /** The operation on the server of which this is a part; null otherwise. */
  readonly groupId: string | null
  readonly compression: Compression
  readonly encryption: 'none'
  readonly storage: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly note: string | null
  readonly pinned: boolean
  readonly retain: string | null
  readonly requestedBy: string
  readonly createdAt: string
  readonly startedAt: string | null
  readonly expiresAt: string | null
  readonly facts: BackupFacts | null
  readonly verification: Verification | null
  readonly error: Failure | null
}

/** True if a backup may be restored, listed as latest, or protect older ones. */
export function isUsable(backup: Pick<Backup, 'status'>): boolean {
  return backup.status === 'completed'
}
