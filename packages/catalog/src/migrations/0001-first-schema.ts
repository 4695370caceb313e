import type { SchemaFacts } from '../sql/engine.ts'
import { changeTrigger } from './change-trigger.ts'
import type { Migration } from './migration.ts'

/** Tables, the indexes that enforce rules, and the triggers that refuse illegal changes. */
export const firstSchema: Migration = {
  version: 1,
  name: 'first-schema',
  statements: (schema) => [
    ...schema.prelude,
    ...settings(),
    ...targets(schema),
    ...backups(schema),
    ...operations(schema),
    ...locks(schema),
    ...byOperation(),
    ...access(schema),
  ],
}

function settings(): string[] {
  return [
    'create table meta (key text primary key, value text not null)',
    'create table storages (name text primary key, id text not null)',
  ]
}

function targets(schema: SchemaFacts): string[] {
  return [
    `create table targets (
      seq ${schema.serial},
      id text not null unique,
      name text not null unique,
      engine text not null,
      sealed_url text not null,
      display_url text not null,
      lock_key text not null,
      environment text,
      labels text not null,
      options text not null,
      created_at text not null,
      updated_at text not null,
      removed_at text
    )`,
    `create table schedules (
      seq ${schema.serial},
      id text not null unique,
      target text not null references targets (name),
      cron text not null,
      timezone text not null,
      mode text not null,
      enabled integer not null check (enabled in (0, 1)),
      created_at text not null,
      updated_at text not null
    )`,
    'create index schedules_target on schedules (target)',
  ]
}

function backups(schema: SchemaFacts): string[] {
  const statuses = `'pending', 'in_progress', 'completed', 'failed', 'expired', 'deleted', 'damaged'`
  return [
    `create table backups (
      seq ${schema.serial},
      id text not null unique,
      name text,
      target text not null,
      engine text not null,
      mode text not null,
      kind text not null,
      status text not null check (status in (${statuses})),
      parent_id text,
      compression text not null,
      encryption text not null,
      storage text not null,
      environment text,
      labels text not null,
      note text,
      pinned integer not null check (pinned in (0, 1)),
      retain text,
      requested_by text not null,
      created_at text not null,
      started_at text,
      expires_at text,
      facts text,
      suspicious integer not null check (suspicious in (0, 1)),
      size_bytes bigint,
      stored_bytes bigint,
      consistent_at text,
      verification text,
      damaged_level text,
      error text,
      deletion_begun_at text,
      check (status not in ('completed', 'damaged') or facts is not null)
    )`,
    // a name is free again once its backup came to nothing or is gone
    `create unique index backups_name on backups (name) where name is not null and status not in ('failed', 'deleted')`,
    'create index backups_target on backups (target, status, consistent_at)',
    'create index backups_status on backups (status, expires_at)',
    changeTrigger(schema, 'backups', 'status', 'BACKUP_NOT_USABLE: this change of status is not legal', [
      'pending>in_progress',
      'pending>failed',
      'in_progress>completed',
      'in_progress>failed',
      'completed>expired',
      'completed>damaged',
      'damaged>completed',
      'damaged>expired',
      'expired>deleted',
      'failed>deleted',
    ]),
    `create trigger backups_stay before delete on backups for each row
      ${schema.refusal('BACKUP_IN_USE: a backup stays on record')}`,
  ]
}

function operations(schema: SchemaFacts): string[] {
  const states = `'queued', 'waiting', 'running', 'completed', 'failed', 'cancelled'`
  const unfinished = `state in ('queued', 'waiting', 'running')`
  return [
    `create table operations (
      seq ${schema.serial},
      id text not null unique,
      job_id text not null,
      type text not null,
      request text not null,
      target text,
      backup_id text references backups (id) deferrable initially deferred,
      lock_key text not null,
      dedup_id text,
      state text not null check (state in (${states})),
      phase text,
      progress text not null,
      result text,
      error text,
      requested_by text not null,
      attempts integer not null,
      cancel_requested integer not null check (cancel_requested in (0, 1)),
      journal text,
      not_before bigint not null,
      created_at text not null,
      started_at text,
      finished_at text
    )`,
    `create unique index operations_dedup on operations (dedup_id) where ${unfinished}`,
    `create unique index operations_running on operations (lock_key) where state = 'running'`,
    `create index operations_line on operations (lock_key, seq) where state in ('queued', 'waiting')`,
    `create index operations_unfinished on operations (seq) where ${unfinished}`,
    'create index operations_target on operations (target, seq)',
    'create index operations_backup on operations (backup_id)',
    changeTrigger(schema, 'operations', 'state', 'OPERATION_FINISHED: this change of state is not legal', [
      'queued>waiting',
      'queued>running',
      'queued>failed',
      'queued>cancelled',
      'waiting>running',
      'waiting>failed',
      'waiting>cancelled',
      'running>queued',
      'running>completed',
      'running>failed',
      'running>cancelled',
    ]),
  ]
}

function locks(schema: SchemaFacts): string[] {
  return [
    `create table target_locks (
      lock_key text primary key,
      operation_id text references operations (id),
      token text,
      fence bigint not null,
      lease_until bigint not null,
      revoked integer not null check (revoked in (0, 1)),
      check ((operation_id is null) = (token is null))
    )`,
    'create unique index target_locks_operation on target_locks (operation_id) where operation_id is not null',
    `create trigger target_locks_fence before update of fence on target_locks for each row when (new.fence < old.fence)
      ${schema.refusal('FENCE_LOST: a fence never goes back')}`,
    `create trigger target_locks_stay before delete on target_locks for each row when (old.fence > 0)
      ${schema.refusal('FENCE_LOST: a lock that was used keeps its fence')}`,
  ]
}

function byOperation(): string[] {
  return [
    `create table idempotency_keys (
      actor text not null,
      key text not null,
      request_hash text not null,
      operation_id text not null references operations (id) on delete cascade,
      created_at text not null,
      primary key (actor, key)
    )`,
    'create index idempotency_keys_age on idempotency_keys (created_at)',
    'create index idempotency_keys_operation on idempotency_keys (operation_id)',
    `create table replaced (
      operation_id text primary key references operations (id),
      target text,
      engine text not null,
      ticket text not null,
      location text not null,
      created_at text not null,
      expires_at text not null
    )`,
  ]
}

function access(schema: SchemaFacts): string[] {
  return [
    `create table audit (
      seq ${schema.serial},
      id text not null unique,
      at text not null,
      actor text not null,
      action text not null,
      subject text not null,
      request_id text,
      outcome text not null
    )`,
    `create table api_keys (
      id text primary key,
      name text not null,
      role text not null check (role in ('viewer', 'operator', 'admin')),
      sha256 text not null unique,
      created_at text not null,
      last_used_at text,
      revoked_at text
    )`,
    'create unique index api_keys_name on api_keys (name) where revoked_at is null',
  ]
}
