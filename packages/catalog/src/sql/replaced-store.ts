import type { ReplacedStore } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import { toIsoTime } from './backup-list.ts'
import { toReplaced } from './rows.ts'
import type { Session } from './session.ts'

/** What restores kept aside. Rows are written by the end of the restore, and gone with the data. */
export function createReplacedStore(session: Session): ReplacedStore {
  return {
    async get(operationId) {
      const row = await session.run((db) =>
        db.selectFrom('replaced').selectAll().where('operation_id', '=', operationId).executeTakeFirst(),
      )
      if (row !== undefined) return toReplaced(row)
      throw new AppError('UNDO_NOT_POSSIBLE', 'nothing that this operation replaced is kept any more', {
        hint: 'restore an earlier backup instead',
      })
    },
    async list() {
      const rows = await session.run((db) =>
        db.selectFrom('replaced').selectAll().orderBy('created_at').orderBy('operation_id').execute(),
      )
      return rows.map(toReplaced)
    },
    async listExpired(nowIso) {
      const now = toIsoTime('now', nowIso)
      const rows = await session.run((db) =>
        db.selectFrom('replaced').selectAll().where('expires_at', '<=', now).orderBy('expires_at').execute(),
      )
      return rows.map(toReplaced)
    },
    async remove(operationId) {
      await session.run((db) => db.deleteFrom('replaced').where('operation_id', '=', operationId).execute())
    },
  }
}
