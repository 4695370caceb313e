import type { AuditStore } from '@holdfast/core'
import { isoNow, uuidv7 } from '@holdfast/core/domain'
import type { Database } from './engine.ts'
import { readPage } from './page.ts'
import { toAuditEntry } from './rows.ts'
import type { Session } from './session.ts'

/** The audit trail: it only grows. */
export function createAuditStore(session: Session): AuditStore {
  return {
    async add(entry) {
      const values = {
        id: uuidv7(session.clock.now()),
        at: isoNow(session.clock),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        request_id: entry.requestId,
        outcome: entry.outcome,
      }
      await session.run((db) => db.insertInto('audit').values(values).execute())
    },
    list: (page) =>
      readPage(session, page, {
        name: 'audit',
        rows: (db: Database, before, limit) =>
          db
            .selectFrom('audit')
            .selectAll()
            .where('seq', '<', before)
            .orderBy('seq', 'desc')
            .limit(limit)
            .execute(),
        count: (db) =>
          db
            .selectFrom('audit')
            .select((eb) => eb.fn.countAll<number>().as('count'))
            .executeTakeFirstOrThrow(),
        toItem: toAuditEntry,
      }),
  }
}
