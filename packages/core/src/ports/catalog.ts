import type { ApiKey, AuditEntry, Role, Schedule } from '../domain/access.ts'
import type {
  Backup,
  BackupFacts,
  BackupKind,
  BackupMode,
  BackupStatus,
  Verification,
} from '../domain/backup.ts'
import type {
  Operation,
  OperationRequest,
  OperationResult,
  OperationState,
  OperationType,
  Progress,
  Replaced,
} from '../domain/operation.ts'
import type { Target, TargetOptions } from '../domain/target.ts'
import type { Failure } from '../errors.ts'

/** One page of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
  readonly total: number
}

/** `limit` 1 to 200; `cursor` as returned before (INVALID_REQUEST if it is not one). */
export interface PageRequest {
  readonly limit: number
  readonly cursor: string | null
}

export interface NewTarget {
  readonly name: string
  readonly engine: string
  readonly sealedUrl: string
  readonly displayUrl: string
  readonly lockKey: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly options: TargetOptions
}

/** Fields left out stay as they are. */
export interface TargetChange {
  readonly connection?: { readonly sealedUrl: string; readonly displayUrl: string; readonly lockKey: string }
  readonly environment?: string | null
  readonly labels?: Readonly<Record<string, string>>
  readonly options?: TargetOptions
}

export interface TargetStore {
  /** Rejects with TARGET_EXISTS if the name is, or ever was, in use. */
  add(target: NewTarget): Promise<Target>
  /** Rejects with TARGET_NOT_FOUND, also for a removed one. */
  get(name: string): Promise<Target>
  sealedUrl(name: string): Promise<string>
  list(filter: { readonly environment?: string }, page: PageRequest): Promise<Page<Target>>
  change(name: string, change: TargetChange): Promise<Target>
  /** Its backups stay. Rejects with TARGET_BUSY while an operation on it is not finished. */
  remove(name: string): Promise<void>
}

export interface BackupFilter {
  readonly target?: string
  /** Of a target that names a server. */
  readonly database?: string
  /** The operation of a group: its members' backups. */
  readonly group?: string
  readonly environment?: string
  readonly status?: BackupStatus
  readonly kind?: BackupKind
  readonly mode?: BackupMode
  /** `key` or `key=value`. */
  readonly label?: string
  readonly since?: string
  readonly until?: string
}

export interface BackupChange {
  readonly pinned?: boolean
  readonly suspicious?: false
  readonly labels?: Readonly<Record<string, string>>
  readonly note?: string | null
}

export interface BackupStore {
  /** By id or by human name. Rejects with BACKUP_NOT_FOUND. */
  get(idOrName: string): Promise<Backup>
  /**
   * The newest usable backup of a target by `consistentAt`; null if there is none. `database`: of a target that names
   * a server; null: of any.
   */
  latest(target: string, database: string | null): Promise<Backup | null>
  /** Deleted ones are left out unless asked for by status. */
  list(filter: BackupFilter, page: PageRequest): Promise<Page<Backup>>
  change(id: string, change: BackupChange): Promise<Backup>
  /** completed, failed or damaged → expired/deleted-to-be. Rejects with BACKUP_IN_USE while an unfinished
   * operation refers to it, BACKUP_NOT_USABLE from any other status. A pinned one needs `evenIfPinned`. */
  beginDelete(id: string, options: { readonly evenIfPinned: boolean }): Promise<Backup>
  /** After its objects are gone: expired or failed → deleted. Its facts stay as a tombstone. */
  endDelete(id: string): Promise<void>
  /** Usable, unpinned backups whose `expiresAt` has passed, and those whose deletion was begun. */
  listExpired(nowIso: string): Promise<readonly Backup[]>
}

/** Everything `accept` writes in one transaction. */
export interface NewOperation {
  readonly id: string
  readonly jobId: string
  readonly type: OperationType
  readonly request: OperationRequest
  readonly target: string | null
  readonly lockKey: string
  /** Equal while unfinished means the same operation. Null: never coalesces. */
  readonly dedupId: string | null
  /**
   * For type `backup`: the id of the backup row made with it; null for a group, whose members have one each. For
   * verify, restore: the backup used.
   */
  readonly backupId: string | null
  readonly requestedBy: string
  readonly idempotency: { readonly actor: string; readonly key: string; readonly requestHash: string } | null
}

/** Proof of holding the lock of a database, carried by every fenced write. */
export interface HeldLock {
  readonly lockKey: string
  readonly operationId: string
  readonly token: string
  readonly fence: number
}

/** What became of a backup operation, written together with the operation's end. */
export type BackupOutcome =
  | {
      readonly kind: 'completed'
      readonly facts: BackupFacts
      readonly verification: Verification
      readonly expiresAt: string | null
    }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'verified'; readonly verification: Verification }

/** The end of an operation: everything is written in one transaction under the fence, and the lock is freed. */
export interface OperationEnd {
  readonly state: 'completed' | 'failed' | 'cancelled'
  readonly result: OperationResult | null
  readonly failure: Failure | null
  readonly backup: BackupOutcome | null
  /** What a restore kept aside from now on. */
  readonly replaced: Omit<Replaced, 'createdAt'> | null
  /** Restore whose kept data was consumed by this undo. */
  readonly undone: string | null
}

/** Who may go next on a database whose lock is free. */
export type NextInLine = Pick<Operation, 'id' | 'type' | 'jobId'>

export type Acquisition =
  /** Ours; the operation is `running` now and `attempts` counts this start. */
  | {
      readonly granted: true
      readonly held: HeldLock
      readonly operation: Operation
      readonly takenOver: boolean
    }
  /** Not now; ask again when promoted, or after this time. The operation is `waiting` now. */
  | { readonly granted: false; readonly retryInMs: number }
  /** It is finished already, or cancelled. */
  | { readonly granted: false; readonly finished: Operation }

/** Where an operation stands that goes on by itself elsewhere. */
export interface Pause {
  readonly phase: string
  readonly progress: Progress
}

export interface OperationFilter {
  readonly state?: OperationState
  readonly type?: OperationType
  readonly target?: string
  readonly backupId?: string
  /** The operation of a group: its members. */
  readonly group?: string
}

/**
 * Operations and the locks of databases. Every rule is enforced by the statement that writes:
 * one running operation per lock key, ever-growing fences, order of acceptance per lock key, and legal states.
 */
export interface OperationStore {
  /**
   * Records a request for good: operation, backup row, idempotency key. Returns the operation that is already
   * under way if an equal one is (`coalesced`), or the one made earlier with this idempotency key.
   *
   * Rejects with TARGET_NOT_FOUND, BACKUP_NOT_FOUND, BACKUP_NOT_USABLE, BACKUP_EXISTS (name in use),
   * IDEMPOTENCY_CONFLICT (same key, other request), OPERATION_FINISHED (the group it belongs to takes no more members).
   */
  accept(operation: NewOperation): Promise<{ readonly operation: Operation; readonly coalesced: boolean }>
  /** Rejects with OPERATION_NOT_FOUND. */
  get(id: string): Promise<Operation>
  /** The members of a group, in the order of their acceptance. */
  listMembers(groupId: string): Promise<readonly Operation[]>
  list(filter: OperationFilter, page: PageRequest): Promise<Page<Operation>>
  /** Every operation that is not finished, oldest first, with the state of its lock. */
  listUnfinished(): Promise<readonly { readonly operation: Operation; readonly leaseLive: boolean }[]>
  /** A stronger identity was found; applies while it is queued or waiting, and to its target. */
  setLockKey(id: string, lockKey: string): Promise<void>

  /**
   * Takes the database's lock for an operation, or puts it in line. Granted when the lock is free, or was held
   * by this same operation under a lease that has passed (take-over), and nobody accepted earlier is in line.
   * A live lease of this same operation under another token is a zombie's: it is revoked, and this call waits.
   */
  acquire(request: {
    readonly operationId: string
    readonly token: string
    readonly leaseMs: number
  }): Promise<Acquisition>
  /** False once the lock is lost or revoked. */
  renew(held: HeldLock, leaseMs: number): Promise<boolean>
  /** Rejects with FENCE_LOST unless the lock is still held. */
  confirm(held: HeldLock): Promise<void>
  /** Fenced like every write below. */
  setProgress(held: HeldLock, phase: string, progress: Progress): Promise<void>
  setJournal(held: HeldLock, journal: string | null): Promise<void>
  /** Ends the operation and frees the lock, in one transaction. Returns who goes next. */
  end(held: HeldLock, end: OperationEnd): Promise<NextInLine | null>
  /**
   * Back to `queued` without counting the attempt (hand-back) or after a failure that may heal. Frees the lock.
   * Out of line for `notBeforeMs` from now on: until then others may go first, unless it has a journal.
   */
  handBack(
    held: HeldLock,
    options: { readonly countAttempt: boolean; readonly notBeforeMs: number },
  ): Promise<NextInLine | null>
  /**
   * running → waiting without counting the attempt, for work whose journal says what goes on elsewhere. Frees the
   * lock; nobody else has it before the work has ended, since it has a journal (else a TypeError).
   */
  pause(held: HeldLock, pause: Pause): Promise<void>
  /** Who is first in line for a lock that is free; null otherwise. */
  nextInLine(lockKey: string): Promise<NextInLine | null>
  /** queued or waiting → failed, with its backup row. For what cannot even begin. */
  failUnstarted(id: string, failure: Failure): Promise<NextInLine | null>
  /**
   * queued or waiting → cancelled at once; running → flagged, for its worker to see. Rejects with
   * OPERATION_FINISHED. `next` is who goes next if this freed a place in line.
   */
  requestCancel(id: string): Promise<{ readonly operation: Operation; readonly next: NextInLine | null }>
}

export interface ReplacedStore {
  /** Kept aside and not yet removed or undone. Rejects with UNDO_NOT_POSSIBLE. */
  get(operationId: string): Promise<Replaced>
  list(): Promise<readonly Replaced[]>
  listExpired(nowIso: string): Promise<readonly Replaced[]>
  remove(operationId: string): Promise<void>
}

export interface KeyStore {
  /** Rejects with KEY_EXISTS. */
  add(key: { readonly name: string; readonly role: Role; readonly sha256: string }): Promise<ApiKey>
  /** The unrevoked key with this hash; null if there is none. Remembers the use (at most once a minute). */
  find(sha256: string): Promise<ApiKey | null>
  list(): Promise<readonly ApiKey[]>
  /** Rejects with KEY_NOT_FOUND. */
  revoke(name: string): Promise<void>
}

export interface AuditStore {
  add(entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void>
  list(page: PageRequest): Promise<Page<AuditEntry>>
}

export interface ScheduleStore {
  add(schedule: Omit<Schedule, 'createdAt' | 'updatedAt'>): Promise<Schedule>
  get(id: string): Promise<Schedule>
  list(page: PageRequest): Promise<Page<Schedule>>
  change(
    id: string,
    change: Partial<Pick<Schedule, 'cron' | 'timezone' | 'mode' | 'enabled'>>,
  ): Promise<Schedule>
  remove(id: string): Promise<void>
}

/** Totals for /v1/stats and /metrics. */
export interface CatalogStats {
  readonly targets: number
  readonly backups: Readonly<Record<BackupStatus, number>>
  readonly operations: Readonly<Record<OperationState, number>>
  readonly storedBytes: number
  readonly sizeBytes: number
  /** Per target, and per database of one that names a server: when its newest usable backup is consistent at. */
  readonly newest: readonly {
    readonly target: string
    readonly database: string | null
    readonly consistentAt: string
  }[]
}

/**
 * What is true: the only record of what was accepted and what became of it.
 * Every method rejects with CATALOG_UNAVAILABLE in bounded time when the database cannot be used.
 */
export interface Catalog {
  /** Made with the catalog; workers refuse jobs of another one. */
  readonly id: string
  readonly targets: TargetStore
  readonly backups: BackupStore
  readonly operations: OperationStore
  readonly replaced: ReplacedStore
  readonly keys: KeyStore
  readonly audit: AuditStore
  readonly schedules: ScheduleStore
  stats(): Promise<CatalogStats>
  /** Remembers a storage's id under its name, or rejects with STORAGE_MISMATCH if another id is known. */
  knowStorage(name: string, id: string): Promise<void>
  /** The id of the storage that is known by this name; null before its first use. */
  knownStorage(name: string): Promise<string | null>
  ping(): Promise<void>
  close(): Promise<void>
}
