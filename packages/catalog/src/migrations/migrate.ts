import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, isoNow } from '@holdfast/core/domain'
import { sql } from 'kysely'
import type { Database, DatabaseTransaction } from '../sql/engine.ts'
import type { Session } from '../sql/session.ts'
import { MIGRATIONS } from './index.ts'
import type { Migration } from './migration.ts'

const TABLE = 'catalog_migrations'
const POLL_MS = 50
const LONGEST_WAIT_MS = 60_000

/** What opening found and did. */
export interface Migrated {
  readonly catalogId: string
  /** Names of the migrations that this call applied. */
  readonly applied: readonly string[]
}

/**
 * Brings the schema up to date and returns the catalog's id. However many processes start together, each migration is
 * applied once: check and change are one transaction that only one of them can be in. Rejects with CATALOG_MISMATCH
 * for a schema newer than this program, and for a database that holds something else.
 */
export async function migrate(
  session: Session,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<Migrated> {
  if (await session.run(async (db) => (await missing(session, db, migrations)).length === 0)) {
    return { catalogId: await session.run(readCatalogId), applied: [] }
  }
  for (let waitedMs = 0; waitedMs < LONGEST_WAIT_MS; waitedMs += POLL_MS) {
    const migrated = await session.transact(async (trx) =>
      (await session.engine.lockMigrations(trx)) ? apply(session, trx, migrations) : null,
    )
    if (migrated !== null) return migrated
    await sleep(POLL_MS)
  }
  throw new AppError('CATALOG_UNAVAILABLE', 'another process has been migrating the catalog for too long', {
    hint: 'look for a process that hangs at its start, end it, and start again',
  })
}

async function apply(
  session: Session,
  trx: DatabaseTransaction,
  migrations: readonly Migration[],
): Promise<Migrated> {
  const todo = await missing(session, trx, migrations)
  await sql`create table if not exists ${sql.table(TABLE)}
    (version integer primary key, name text not null, applied_at text not null)`.execute(trx)
  for (const migration of todo) {
    for (const statement of migration.statements(session.engine.schema)) await sql.raw(statement).execute(trx)
    await sql`insert into ${sql.table(TABLE)} (version, name, applied_at)
      values (${migration.version}, ${migration.name}, ${isoNow(session.clock)})`.execute(trx)
  }
  await trx
    .insertInto('meta')
    .values({ key: 'catalog_id', value: randomUUID() })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return { catalogId: await readCatalogId(trx), applied: todo.map((migration) => migration.name) }
}

async function missing(
  session: Session,
  db: Database,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const tables = await session.engine.tableNames(db)
  if (!tables.includes(TABLE)) {
    if (tables.length === 0) return migrations
    throw new AppError('CATALOG_MISMATCH', 'this database holds something else than a catalog', {
      hint: 'give HOLDFAST_CATALOG_URL a database of its own, empty at first',
    })
  }
  const { rows } = await sql<{ version: number }>`select version from ${sql.table(TABLE)}`.execute(db)
  const applied = new Set(rows.map((row) => row.version))
  const newest = Math.max(0, ...migrations.map((migration) => migration.version))
  if (rows.some((row) => row.version > newest)) {
    throw new AppError('CATALOG_MISMATCH', 'the catalog was made by a newer version of this program', {
      hint: 'start the version that made it, or a newer one; going back needs a catalog from before the upgrade',
    })
  }
  return migrations.filter((migration) => !applied.has(migration.version))
}

async function readCatalogId(db: Database): Promise<string> {
  const row = await db.selectFrom('meta').select('value').where('key', '=', 'catalog_id').executeTakeFirst()
  if (row !== undefined) return row.value
  throw new AppError('CATALOG_MISMATCH', 'the catalog has lost its id', {
    hint: 'restore the catalog from its backup',
  })
}
