import type { Backup, BackupChange, BackupStore } from '@holdfast/core'
import { AppError, isoNow, isUuid } from '@holdfast/core/domain'
import { sql } from 'kysely'
import { listBackups, listExpiredBackups } from './backup-list.ts'
import type { Database, DatabaseTransaction } from './engine.ts'
import { toLabelsJson } from './labels.ts'
import { isUnfinished } from './predicates.ts'
import { toBackup, toFlag } from './rows.ts'
import type { Session } from './session.ts'
import type { BackupRow } from './tables.ts'

/** Backups. Their rows are made with the operation that takes them, and stay for ever. */
export function createBackupStore(session: Session): BackupStore {
  return {
    get: async (idOrName) => toBackup(await session.run((db) => readBackup(db, idOrName))),
    latest: (target, database) => readLatest(session, target, database),
    list: (filter, page) => listBackups(session, filter, page),
    change: (id, change) => changeBackup(session, id, change),
    beginDelete: (id, options) => beginDelete(session, id, options.evenIfPinned),
    endDelete: (id) => endDelete(session, id),
    listExpired: (nowIso) => listExpiredBackups(session, nowIso),
  }
}

async function readBackup(db: Database, idOrName: string): Promise<BackupRow> {
  const row = await db
    .selectFrom('backups')
    .selectAll()
    .where(isUuid(idOrName) ? 'id' : 'name', '=', idOrName)
    // a name may be used again after its backup failed: the living one has it
    .orderBy(sql`case when status in ('failed', 'deleted') then 1 else 0 end`)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (row !== undefined) return row
  throw backupNotFound(idOrName)
}

/** The error of every call that names a backup which the catalog does not know. */
export function backupNotFound(idOrName: string): AppError {
  return new AppError('BACKUP_NOT_FOUND', `no backup has the id or name ${idOrName}`)
}

async function readLatest(session: Session, target: string, database: string | null): Promise<Backup | null> {
  const row = await session.run((db) =>
    db
      .selectFrom('backups')
      .selectAll()
      .where('target', '=', target)
      .$if(database !== null, (query) => query.where('database', '=', database))
      .where('status', '=', 'completed')
      .orderBy('consistent_at', 'desc')
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst(),
  )
  return row === undefined ? null : toBackup(row)
}

async function changeBackup(session: Session, id: string, change: BackupChange): Promise<Backup> {
  const { pinned, suspicious, labels, note } = change
  const values = {
    ...(pinned !== undefined && { pinned: toFlag(pinned) }),
    ...(suspicious !== undefined && { suspicious: toFlag(suspicious) }),
    ...(labels && { labels: toLabelsJson(labels) }),
    ...(note !== undefined && { note }),
  }
  if (Object.keys(values).length === 0) return toBackup(await session.run((db) => readBackup(db, id)))
  const row = await session.run((db) =>
    db
      .updateTable('backups')
      .set(values)
      .where('id', '=', id)
      // what is being deleted is not kept by pinning it
      .where('status', 'not in', ['expired', 'deleted'])
      .returningAll()
      .executeTakeFirst(),
  )
  if (row !== undefined) return toBackup(row)
  const { status } = await session.run((db) => readBackup(db, id))
  throw new AppError('BACKUP_NOT_USABLE', `the backup is ${status} and cannot be changed any more`)
}

function beginDelete(session: Session, id: string, evenIfPinned: boolean): Promise<Backup> {
  return session.transact(async (trx) => {
    // accepting a restore or verification shares this lock: whoever comes second sees what the first has written
    const found = await trx
      .selectFrom('backups')
      .select(['status', 'pinned'])
      .where('id', '=', id)
      .$if(session.engine.lockRows, (query) => query.forUpdate())
      .executeTakeFirst()
    if (found === undefined) throw backupNotFound(id)
    const row = await trx
      .updateTable('backups')
      .set({
        // a failed one is gone at once when its objects are; a good one is expired until then
        status: sql`case when status = 'failed' then 'failed' else 'expired' end`,
        deletion_begun_at: isoNow(session.clock),
      })
      .where('id', '=', id)
      .where('status', 'in', ['completed', 'failed', 'damaged'])
      .$if(!evenIfPinned, (query) => query.where('pinned', '=', 0))
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('operations').select('id').where('backup_id', '=', id).where(isUnfinished))),
      )
      .returningAll()
      .executeTakeFirst()
    if (row !== undefined) return toBackup(row)
    throw await whyNotDeleted(trx, id, found)
  })
}

async function whyNotDeleted(
  trx: DatabaseTransaction,
  id: string,
  found: Pick<BackupRow, 'status' | 'pinned'>,
): Promise<AppError> {
  const user = await trx
    .selectFrom('operations')
    .select('id')
    .where('backup_id', '=', id)
    .where(isUnfinished)
    .executeTakeFirst()
  const deletable = found.status === 'completed' || found.status === 'failed' || found.status === 'damaged'
  if (user !== undefined && (deletable || found.status === 'pending' || found.status === 'in_progress')) {
    return new AppError('BACKUP_IN_USE', `operation ${user.id} is using the backup`, {
      hint: 'wait for the operation or cancel it, then delete the backup',
    })
  }
  if (!deletable)
    return new AppError('BACKUP_NOT_USABLE', `a backup that is ${found.status} cannot be deleted`)
  return new AppError('CONFIRMATION_REQUIRED', 'the backup is pinned', {
    hint: 'unpin it first, or say that it is to be deleted although it is pinned',
  })
}

async function endDelete(session: Session, id: string): Promise<void> {
  const changed = await session.run((db) =>
    db
      .updateTable('backups')
      .set({ status: 'deleted' })
      .where('id', '=', id)
      .where('status', 'in', ['expired', 'failed'])
      .executeTakeFirst(),
  )
  if (changed.numUpdatedRows === 1n) return
  const found = await session.run((db) =>
    db.selectFrom('backups').select('status').where('id', '=', id).executeTakeFirst(),
  )
  if (found === undefined) throw backupNotFound(id)
  // two that delete the same backup both reach this point; the second has nothing left to do
  if (found.status === 'deleted') return
  throw new AppError('BACKUP_NOT_USABLE', `a backup that is ${found.status} is not deleted at once`)
}
