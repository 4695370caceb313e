import type {
  ApiKey,
  AuditEntry,
  Backup,
  BackupFacts,
  Operation,
  Replaced,
  Schedule,
  Target,
} from '@holdfast/core'
import type {
  AuditRow,
  BackupRow,
  Flag,
  KeyRow,
  OperationRow,
  ReplacedRow,
  ScheduleRow,
  TargetRow,
} from './tables.ts'

/** A boolean as it is stored. */
export function toFlag(value: boolean): Flag {
  return value ? 1 : 0
}

/** JSON text as it is stored; null stays null. */
export function toJson(value: object): string
export function toJson(value: object | null): string | null
export function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

/** Reads back what {@link toJson} wrote: the catalog is the only writer of these columns, so the shape is known. */
export function fromJson<Shape>(text: string): Shape {
  return JSON.parse(text)
}

function fromJsonOrNull<Shape>(text: string | null): Shape | null {
  return text === null ? null : fromJson<Shape>(text)
}

/** A row of `targets` without what must not be shown. */
export function toTarget(row: TargetRow): Target {
  return {
    id: row.id,
    name: row.name,
    engine: row.engine,
    displayUrl: row.display_url,
    lockKey: row.lock_key,
    environment: row.environment,
    labels: fromJson(row.labels),
    options: fromJson(row.options),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function toBackup(row: BackupRow): Backup {
  return {
    id: row.id,
    name: row.name,
    target: row.target,
    engine: row.engine,
    mode: row.mode,
    kind: row.kind,
    status: row.status,
    parentId: row.parent_id,
    database: row.database,
    groupId: row.group_id,
    compression: row.compression,
    encryption: row.encryption,
    storage: row.storage,
    environment: row.environment,
    labels: fromJson(row.labels),
    note: row.note,
    pinned: row.pinned === 1,
    retain: row.retain,
    requestedBy: row.requested_by,
    createdAt: row.created_at,
    startedAt: row.started_at,
    expiresAt: row.expires_at,
    facts: factsOf(row),
    verification: fromJsonOrNull(row.verification),
    error: fromJsonOrNull(row.error),
  }
}

/** What facts of the first release do not say: it always counted exactly. */
const EARLIER = { counting: 'exact' } as const

function factsOf(row: BackupRow): BackupFacts | null {
  const facts = fromJsonOrNull<BackupFacts>(row.facts)
  // people may accept a suspicious backup later: the column is newer than the facts
  return facts === null ? null : { ...EARLIER, ...facts, suspicious: row.suspicious === 1 }
}

export function toOperation(row: OperationRow): Operation {
  return {
    id: row.id,
    seq: row.seq,
    type: row.type,
    request: fromJson(row.request),
    target: row.target,
    backupId: row.backup_id,
    lockKey: row.lock_key,
    state: row.state,
    phase: row.phase,
    progress: fromJson(row.progress),
    result: fromJsonOrNull(row.result),
    error: fromJsonOrNull(row.error),
    requestedBy: row.requested_by,
    jobId: row.job_id,
    attempts: row.attempts,
    cancelRequested: row.cancel_requested === 1,
    journal: row.journal,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}

export function toReplaced(row: ReplacedRow): Replaced {
  return {
    operationId: row.operation_id,
    target: row.target,
    engine: row.engine,
    ticket: row.ticket,
    location: row.location,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

export function toSchedule(row: ScheduleRow): Schedule {
  return {
    id: row.id,
    target: row.target,
    cron: row.cron,
    timezone: row.timezone,
    mode: row.mode,
    enabled: row.enabled === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function toAuditEntry(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    at: row.at,
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    requestId: row.request_id,
    outcome: row.outcome,
  }
}

export function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  }
}
