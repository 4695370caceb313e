import type { Catalog } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import { sql } from 'kysely'
import { createAuditStore } from './audit-store.ts'
import { createBackupStore } from './backup-store.ts'
import { createKeyStore } from './key-store.ts'
import { createOperationStore } from './operation-store.ts'
import { createReplacedStore } from './replaced-store.ts'
import { createScheduleStore } from './schedule-store.ts'
import type { Session } from './session.ts'
import { readStats } from './stats.ts'
import { createTargetStore } from './target-store.ts'

/** Everything of a catalog that is SQL; opening and closing belong to the engine. */
export type SqlCatalog = Omit<Catalog, 'id' | 'close'>

/** The catalog on any engine. */
export function createSqlCatalog(session: Session): SqlCatalog {
  return {
    targets: createTargetStore(session),
    backups: createBackupStore(session),
    operations: createOperationStore(session),
    replaced: createReplacedStore(session),
    keys: createKeyStore(session),
    audit: createAuditStore(session),
    schedules: createScheduleStore(session),
    stats: () => readStats(session),
    knowStorage: (name, id) => knowStorage(session, name, id),
    knownStorage: (name) => knownStorage(session, name),
    async ping() {
      await session.run((db) => sql`select 1`.execute(db))
    },
  }
}

async function knownStorage(session: Session, name: string): Promise<string | null> {
  const known = await session.run((db) =>
    db.selectFrom('storages').select('id').where('name', '=', name).executeTakeFirst(),
  )
  return known?.id ?? null
}

async function knowStorage(session: Session, name: string, id: string): Promise<void> {
  const known = await session.run(async (db) => {
    const read = () => db.selectFrom('storages').select('id').where('name', '=', name).executeTakeFirst()
    const before = await read()
    if (before !== undefined) return before
    await db
      .insertInto('storages')
      .values({ name, id })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    return await read()
  })
  if (known?.id === id) return
  throw new AppError(
    'STORAGE_MISMATCH',
    `the storage ${name} is not the one that the catalog knows by this name`,
    {
      hint: 'point the configuration at the storage that was used before, or give the new one another name',
    },
  )
}
