import type { Role, TargetOptions } from './requests.ts'

// What the service answers. Times are ISO 8601 in UTC, sizes are bytes.

/** One page of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null
  readonly total: number
}

/** What went wrong, in words for an operator. */
export interface Failure {
  readonly code: string
  readonly detail: string
  readonly hint: string | null
}

/** Names, in which `*` and `?` stand for any letters. */
interface ShownFilter {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

interface ShownOptions extends Readonly<Omit<TargetOptions, 'include' | 'filter' | 'databases'>> {
  readonly include?: readonly string[]
  readonly filter?: ShownFilter
  readonly databases?: ShownFilter
}

/** A database under protection, or a server with many; its URL is shown without credentials. */
export interface Target {
  readonly id: string
  readonly name: string
  readonly engine: string
  readonly url: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly options: ShownOptions
  readonly createdAt: string
  readonly updatedAt: string
}

/** What connecting to a target found. */
export interface TargetCheck {
  readonly target: string
  readonly version: string
  readonly toolVersion: string
  readonly sizeBytes: number
  /** Of a target that names a server: the databases that a backup of it would be of; null otherwise. */
  readonly databases: readonly string[] | null
  readonly details: Readonly<Record<string, string | number | boolean>>
  readonly warnings: readonly string[]
}

export type BackupStatus =
  | 'pending'
  | 'in_progress'
  | 'completed'
  | 'failed'
  | 'expired'
  | 'deleted'
  | 'damaged'

/** One restore point of one target. What is known only of a finished one is null before. */
export interface Backup {
  readonly id: string
  readonly name: string | null
  readonly target: string
  readonly engine: string
  readonly mode: string
  readonly kind: string
  readonly status: BackupStatus
  readonly parentId: string | null
  /** Of a target that names a server: which of its databases this is; null otherwise. */
  readonly database: string | null
  /** The operation on the server that it is a part of; null if it was asked for alone. */
  readonly groupId: string | null
  readonly format: string | null
  readonly sizeBytes: number | null
  readonly storedBytes: number | null
  readonly recordCount: number | null
  readonly rowCounts: Readonly<Record<string, number>> | null
  readonly fileCount: number | null
  readonly serverVersion: string | null
  readonly toolVersion: string | null
  readonly compression: string
  readonly encryption: string
  readonly storage: string
  readonly storagePath: string | null
  /** SHA-256 (hex) of the plain dump. */
  readonly checksum: string | null
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly note: string | null
  readonly pinned: boolean
  readonly suspicious: boolean
  readonly warnings: readonly string[]
  readonly retain: string | null
  readonly requestedBy: string
  readonly createdAt: string
  readonly startedAt: string | null
  readonly completedAt: string | null
  readonly expiresAt: string | null
  /** The moment that the backup shows. */
  readonly consistentAt: string | null
  readonly durationMs: number | null
  readonly engineDetails: Readonly<Record<string, string | number | boolean>> | null
  readonly verification: {
    readonly level: string
    readonly valid: boolean
    readonly message: string
    readonly at: string
  } | null
  readonly error: Failure | null
}

export type OperationType = 'backup' | 'restore' | 'verify' | 'retention'
export type OperationState = 'queued' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'

/** Totals and `percent` are left out where they are not known, objects where none are counted. */
export interface Progress {
  readonly percent?: number
  readonly bytes: number
  readonly totalBytes?: number
  /** Tables of a database, or databases of a server. */
  readonly objects?: number
  readonly totalObjects?: number
}

/** What became of one database of a server; a group's `result.members` has one for each. */
export interface GroupMember {
  readonly database: string
  /** Null if it never began. */
  readonly operationId: string | null
  readonly backupId: string | null
  readonly state: OperationState
  readonly error: Failure | null
}

/** One unit of work asked for, and what became of it. */
export interface Operation {
  readonly id: string
  readonly type: OperationType
  readonly target: string | null
  readonly state: OperationState
  readonly phase: string | null
  readonly progress: Progress
  /** An equal request was under way, and this is its operation. */
  readonly coalesced: boolean
  /** Null also for a backup of a whole server: its members have one each. */
  readonly backupId: string | null
  /** What was asked for, every default filled in. */
  readonly request: Readonly<Record<string, unknown>>
  readonly result: Readonly<Record<string, unknown>> | null
  readonly error: Failure | null
  readonly requestedBy: string
  readonly attempts: number
  readonly cancelRequested: boolean
  readonly createdAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

/** What a restore replaced and kept aside, until it expires or the restore is undone. */
export interface Replaced {
  /** The restore that replaced it, and that undoing takes back. */
  readonly operationId: string
  readonly target: string | null
  readonly engine: string
  readonly location: string
  readonly createdAt: string
  readonly expiresAt: string
}

/** A named API key; the key itself is not kept. */
export interface ApiKey {
  readonly name: string
  readonly role: Role
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

/** A key just made: the only time that it is readable. */
export interface NewApiKey {
  readonly name: string
  readonly role: Role
  readonly createdAt: string
  readonly key: string
}

/** Totals. */
export interface Stats {
  readonly targets: number
  readonly backups: Readonly<Partial<Record<BackupStatus, number>>>
  readonly operations: Readonly<Partial<Record<OperationState, number>>>
  readonly storedBytes: number
  readonly sizeBytes: number
  /** When the newest usable backup of each target, and of each database of a server, is consistent at. */
  readonly newest: readonly {
    readonly target: string
    readonly database: string | null
    readonly consistentAt: string
  }[]
}

/** One line of the audit trail. */
export interface AuditEntry {
  readonly id: string
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly requestId: string | null
  readonly outcome: string
}

/** Whether the service can work now, part by part. */
export interface Readiness {
  readonly ready: boolean
  readonly parts: Readonly<Record<string, boolean>>
}
