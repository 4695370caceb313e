import type { Backup, BackupFilter, Page, PageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { Expression, SqlBool } from 'kysely'
import { expressionBuilder } from 'kysely'
import type { Database, Engine } from './engine.ts'
import { parseLabelFilter } from './labels.ts'
import { readPage } from './page.ts'
import { toBackup } from './rows.ts'
import type { Session } from './session.ts'
import type { Tables } from './tables.ts'

/** One page of the backups that match all of the filter; deleted ones only when asked for by status. */
export async function listBackups(
  session: Session,
  filter: BackupFilter,
  page: PageRequest,
): Promise<Page<Backup>> {
  const conditions = conditionsOf(session.engine, filter)
  const matching = (db: Database) => db.selectFrom('backups').where((eb) => eb.and(conditions))
  return readPage(session, page, {
    name: 'backups',
    rows: (db, before, limit) =>
      matching(db).selectAll().where('seq', '<', before).orderBy('seq', 'desc').limit(limit).execute(),
    count: (db) =>
      matching(db)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow(),
    toItem: toBackup,
  })
}

function conditionsOf(engine: Engine, filter: BackupFilter): readonly Expression<SqlBool>[] {
  const eb = expressionBuilder<Tables, 'backups'>()
  const { target, database, group, environment, status, kind, mode, label, since, until } = filter
  const conditions: Expression<SqlBool>[] = [
    status === undefined ? eb('status', '<>', 'deleted') : eb('status', '=', status),
  ]
  if (target !== undefined) conditions.push(eb('target', '=', target))
  if (database !== undefined) conditions.push(eb('database', '=', database))
  if (group !== undefined) conditions.push(eb('group_id', '=', group))
  if (environment !== undefined) conditions.push(eb('environment', '=', environment))
  if (kind !== undefined) conditions.push(eb('kind', '=', kind))
  if (mode !== undefined) conditions.push(eb('mode', '=', mode))
  if (since !== undefined) conditions.push(eb('created_at', '>=', toIsoTime('since', since)))
  if (until !== undefined) conditions.push(eb('created_at', '<=', toIsoTime('until', until)))
  if (label !== undefined) {
    const { key, value } = parseLabelFilter(label)
    const found = engine.label('labels', key)
    conditions.push(value === null ? eb(found, 'is not', null) : eb(found, '=', value))
  }
  return conditions
}

/** Usable, unpinned backups past their time, and those whose deletion was begun; oldest first. */
export async function listExpiredBackups(session: Session, nowIso: string): Promise<readonly Backup[]> {
  const now = toIsoTime('now', nowIso)
  const rows = await session.run((db) =>
    db
      .selectFrom('backups')
      .selectAll()
      .where((eb) =>
        eb.or([
          eb.and([eb('status', '=', 'completed'), eb('pinned', '=', 0), eb('expires_at', '<=', now)]),
          eb('status', '=', 'expired'),
          eb.and([eb('status', '=', 'failed'), eb('deletion_begun_at', 'is not', null)]),
        ]),
      )
      .orderBy('seq')
      .execute(),
  )
  return rows.map(toBackup)
}

/** The one form of a time that compares as text like the moment itself. Rejects with INVALID_REQUEST. */
export function toIsoTime(what: string, text: string): string {
  const ms = Date.parse(text)
  if (!Number.isNaN(ms)) return new Date(ms).toISOString()
  throw new AppError('INVALID_REQUEST', `${what} is not a time`, {
    hint: 'use ISO-8601, e.g. 2026-01-31T22:00:00Z',
  })
}
