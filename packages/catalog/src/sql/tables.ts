import type {
  BackupKind,
  BackupMode,
  BackupStatus,
  Compression,
  OperationState,
  OperationType,
  Role,
  VerificationLevel,
} from '@holdfast/core'
import type { Generated, Insertable, Selectable } from 'kysely'

/** 0 or 1: the one form of a boolean that both engines store alike. */
export type Flag = 0 | 1

/** What the queries of this package know of the tables. The migrations say what they really are. */
export interface Tables {
  meta: { key: string; value: string }
  storages: { name: string; id: string }
  targets: TargetTable
  backups: BackupTable
  operations: OperationTable
  target_locks: LockTable
  idempotency_keys: {
    actor: string
    key: string
    request_hash: string
    operation_id: string
    created_at: string
  }
  replaced: ReplacedTable
  schedules: ScheduleTable
  audit: AuditTable
  api_keys: KeyTable
}

interface TargetTable {
  seq: Generated<number>
  id: string
  name: string
  engine: string
  sealed_url: string
  display_url: string
  lock_key: string
  environment: string | null
  labels: string
  options: string
  created_at: string
  updated_at: string
  /** Set on a tombstone: the name stays taken. */
  removed_at: string | null
}

interface BackupTable {
  seq: Generated<number>
  id: string
  name: string | null
  target: string
  engine: string
  mode: BackupMode
  kind: BackupKind
  status: BackupStatus
  parent_id: string | null
  database: string | null
  group_id: string | null
  compression: Compression
  encryption: 'none'
  storage: string
  environment: string | null
  labels: string
  note: string | null
  pinned: Flag
  retain: string | null
  requested_by: string
  created_at: string
  started_at: string | null
  expires_at: string | null
  /** JSON of all facts; the columns after it repeat those that queries need or people change. */
  facts: string | null
  suspicious: Flag
  size_bytes: number | null
  stored_bytes: number | null
  consistent_at: string | null
  verification: string | null
  /** The highest level that found it damaged: only a valid verification of at least this level repairs it. */
  damaged_level: VerificationLevel | null
  error: string | null
  deletion_begun_at: string | null
}

interface OperationTable {
  seq: Generated<number>
  id: string
  job_id: string
  type: OperationType
  request: string
  target: string | null
  backup_id: string | null
  /** Repeats the request's, for queries. */
  group_id: string | null
  lock_key: string
  dedup_id: string | null
  state: OperationState
  phase: string | null
  progress: string
  result: string | null
  error: string | null
  requested_by: string
  attempts: number
  cancel_requested: Flag
  journal: string | null
  /** Epoch ms before which it is out of line; 0: at once. */
  not_before: number
  created_at: string
  started_at: string | null
  finished_at: string | null
}

interface LockTable {
  lock_key: string
  operation_id: string | null
  token: string | null
  fence: number
  /** Epoch ms. */
  lease_until: number
  revoked: Flag
}

interface ReplacedTable {
  operation_id: string
  target: string | null
  engine: string
  ticket: string
  location: string
  created_at: string
  expires_at: string
}

interface ScheduleTable {
  seq: Generated<number>
  id: string
  target: string
  cron: string
  timezone: string
  mode: string
  enabled: Flag
  created_at: string
  updated_at: string
}

interface AuditTable {
  seq: Generated<number>
  id: string
  at: string
  actor: string
  action: string
  subject: string
  request_id: string | null
  outcome: string
}

interface KeyTable {
  id: string
  name: string
  role: Role
  sha256: string
  created_at: string
  last_used_at: string | null
  revoked_at: string | null
}

export type TargetRow = Selectable<TargetTable>
export type BackupRow = Selectable<BackupTable>
export type NewBackupRow = Insertable<BackupTable>
export type OperationRow = Selectable<OperationTable>
export type ReplacedRow = Selectable<ReplacedTable>
export type ScheduleRow = Selectable<ScheduleTable>
export type AuditRow = Selectable<AuditTable>
export type KeyRow = Selectable<KeyTable>
