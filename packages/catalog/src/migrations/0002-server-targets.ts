import type { SchemaFacts } from '../sql/engine.ts'
import { changeTrigger } from './change-trigger.ts'
import type { Migration } from './migration.ts'

/** Targets that name a server: backups of its databases, as members of one group. */
export const serverTargets: Migration = {
  version: 2,
  name: 'server-targets',
  statements: (schema) => [...backups(), ...operations(schema)],
}

function backups(): string[] {
  return [
    'alter table backups add column database text',
    'alter table backups add column group_id text',
    `create index backups_database on backups (target, database, status, consistent_at) where database is not null`,
    // the last word on it: however often a worker is lost, a group has one backup of each database
    `create unique index backups_member on backups (group_id, database) where group_id is not null`,
  ]
}

function operations(schema: SchemaFacts): string[] {
  return [
    'alter table operations add column group_id text',
    'create index operations_group on operations (group_id, seq) where group_id is not null',
    schema.dropTrigger('operations_state', 'operations'),
    changeTrigger(schema, 'operations', 'state', 'OPERATION_FINISHED: this change of state is not legal', [
      'queued>waiting',
      'queued>running',
      'queued>failed',
      'queued>cancelled',
      'waiting>running',
      'waiting>failed',
      'waiting>cancelled',
      'running>queued',
      // a group that waits for its members
      'running>waiting',
      'running>completed',
      'running>failed',
      'running>cancelled',
    ]),
  ]
}
