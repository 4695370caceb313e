import type { NewTarget, Page, PageRequest, Target, TargetChange, TargetStore } from '@holdfast/core'
import { AppError, isoNow, uuidv7 } from '@holdfast/core/domain'
import type { Database } from './engine.ts'
import { toLabelsJson } from './labels.ts'
import { readPage } from './page.ts'
import { isUnfinished } from './predicates.ts'
import { toJson, toTarget } from './rows.ts'
import type { Session } from './session.ts'
import type { TargetRow } from './tables.ts'

/** Targets. A removed one stays as a tombstone, so that its name is never used again. */
export function createTargetStore(session: Session): TargetStore {
  return {
    add: (target) => addTarget(session, target),
    get: async (name) => toTarget(await session.run((db) => readTarget(db, name))),
    sealedUrl: async (name) => (await session.run((db) => readTarget(db, name))).sealed_url,
    list: (filter, page) => listTargets(session, filter, page),
    change: (name, change) => changeTarget(session, name, change),
    remove: (name) => removeTarget(session, name),
  }
}

async function addTarget(session: Session, target: NewTarget): Promise<Target> {
  const now = isoNow(session.clock)
  const values = {
    id: uuidv7(session.clock.now()),
    name: target.name,
    engine: target.engine,
    sealed_url: target.sealedUrl,
    display_url: target.displayUrl,
    lock_key: target.lockKey,
    environment: target.environment,
    labels: toLabelsJson(target.labels),
    options: toJson(target.options),
    created_at: now,
    updated_at: now,
    removed_at: null,
  }
  const row = await session.run((db) =>
    db
      .insertInto('targets')
      .values(values)
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returningAll()
      .executeTakeFirst(),
  )
  if (row !== undefined) return toTarget(row)
  throw new AppError('TARGET_EXISTS', `the name ${target.name} is, or was, a target's`, {
    hint: 'choose another name: one that was in use never is again',
  })
}

async function readTarget(db: Database, name: string): Promise<TargetRow> {
  const row = await db
    .selectFrom('targets')
    .selectAll()
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  if (row !== undefined) return row
  throw targetNotFound(name)
}

/** The error of every call that names a target which is not, or no longer, there. */
export function targetNotFound(name: string): AppError {
  return new AppError('TARGET_NOT_FOUND', `no target is called ${name}`)
}

function listTargets(
  session: Session,
  filter: { readonly environment?: string },
  page: PageRequest,
): Promise<Page<Target>> {
  const { environment } = filter
  const matching = (db: Database) => {
    const present = db.selectFrom('targets').where('removed_at', 'is', null)
    return environment === undefined ? present : present.where('environment', '=', environment)
  }
  return readPage(session, page, {
    name: 'targets',
    rows: (db, before, limit) =>
      matching(db).selectAll().where('seq', '<', before).orderBy('seq', 'desc').limit(limit).execute(),
    count: (db) =>
      matching(db)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow(),
    toItem: toTarget,
  })
}

async function changeTarget(session: Session, name: string, change: TargetChange): Promise<Target> {
  const { connection, environment, labels, options } = change
  const values = {
    ...(connection && {
      sealed_url: connection.sealedUrl,
      display_url: connection.displayUrl,
      lock_key: connection.lockKey,
    }),
    ...(environment !== undefined && { environment }),
    ...(labels && { labels: toLabelsJson(labels) }),
    ...(options && { options: toJson(options) }),
    updated_at: isoNow(session.clock),
  }
  const row = await session.run((db) =>
    db
      .updateTable('targets')
      .set(values)
      .where('name', '=', name)
      .where('removed_at', 'is', null)
      .returningAll()
      .executeTakeFirst(),
  )
  if (row === undefined) throw targetNotFound(name)
  return toTarget(row)
}

function removeTarget(session: Session, name: string): Promise<void> {
  return session.transact(async (trx) => {
    // accepting work shares this lock: whoever comes second sees what the first has written
    const present = await trx
      .selectFrom('targets')
      .select('name')
      .where('name', '=', name)
      .where('removed_at', 'is', null)
      .$if(session.engine.lockRows, (query) => query.forUpdate())
      .executeTakeFirst()
    if (present === undefined) throw targetNotFound(name)
    const { numUpdatedRows } = await trx
      .updateTable('targets')
      .set({ removed_at: isoNow(session.clock) })
      .where('name', '=', name)
      .where('removed_at', 'is', null)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('operations').select('id').where('target', '=', name).where(isUnfinished))),
      )
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) {
      throw new AppError('TARGET_BUSY', `an operation on ${name} is not finished`, {
        hint: 'cancel its operations or wait for them, then remove the target',
      })
    }
    await trx.deleteFrom('schedules').where('target', '=', name).execute()
  })
}
