import type { Schedule, ScheduleStore } from '@holdfast/core'
import { AppError, isoNow } from '@holdfast/core/domain'
import type { Database } from './engine.ts'
import { readPage } from './page.ts'
import { toFlag, toSchedule } from './rows.ts'
import type { Session } from './session.ts'
import { targetNotFound } from './target-store.ts'

type NewSchedule = Parameters<ScheduleStore['add']>[0]
type ScheduleChange = Parameters<ScheduleStore['change']>[1]

/** Schedules. They go with their target. */
export function createScheduleStore(session: Session): ScheduleStore {
  return {
    add: (schedule) => addSchedule(session, schedule),
    get: (id) => getSchedule(session, id),
    list: (page) =>
      readPage(session, page, {
        name: 'schedules',
        rows: (db: Database, before, limit) =>
          db
            .selectFrom('schedules')
            .selectAll()
            .where('seq', '<', before)
            .orderBy('seq', 'desc')
            .limit(limit)
            .execute(),
        count: (db) =>
          db
            .selectFrom('schedules')
            .select((eb) => eb.fn.countAll<number>().as('count'))
            .executeTakeFirstOrThrow(),
        toItem: toSchedule,
      }),
    change: (id, change) => changeSchedule(session, id, change),
    remove: (id) => removeSchedule(session, id),
  }
}

function addSchedule(session: Session, schedule: NewSchedule): Promise<Schedule> {
  const now = isoNow(session.clock)
  return session.transact(async (trx) => {
    const target = await trx
      .selectFrom('targets')
      .select('name')
      .where('name', '=', schedule.target)
      .where('removed_at', 'is', null)
      .$if(session.engine.lockRows, (query) => query.forShare())
      .executeTakeFirst()
    if (target === undefined) throw targetNotFound(schedule.target)
    const { enabled, ...rest } = schedule
    const row = await trx
      .insertInto('schedules')
      .values({ ...rest, enabled: toFlag(enabled), created_at: now, updated_at: now })
      .returningAll()
      .executeTakeFirstOrThrow()
    return toSchedule(row)
  })
}

async function getSchedule(session: Session, id: string): Promise<Schedule> {
  const row = await session.run((db) =>
    db.selectFrom('schedules').selectAll().where('id', '=', id).executeTakeFirst(),
  )
  if (row === undefined) throw scheduleNotFound(id)
  return toSchedule(row)
}

async function changeSchedule(session: Session, id: string, change: ScheduleChange): Promise<Schedule> {
  const { enabled, ...rest } = change
  const row = await session.run((db) =>
    db
      .updateTable('schedules')
      .set({
        ...rest,
        ...(enabled !== undefined && { enabled: toFlag(enabled) }),
        updated_at: isoNow(session.clock),
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst(),
  )
  if (row === undefined) throw scheduleNotFound(id)
  return toSchedule(row)
}

async function removeSchedule(session: Session, id: string): Promise<void> {
  const { numDeletedRows } = await session.run((db) =>
    db.deleteFrom('schedules').where('id', '=', id).executeTakeFirst(),
  )
  if (numDeletedRows !== 1n) throw scheduleNotFound(id)
}

function scheduleNotFound(id: string): AppError {
  return new AppError('SCHEDULE_NOT_FOUND', `no schedule has the id ${id}`)
}
