import type { Catalog, Clock, Logger } from '@holdfast/core'
import { Kysely, PostgresDialect } from 'kysely'
import { migrate } from '../migrations/migrate.ts'
import { createSession } from '../sql/session.ts'
import { createSqlCatalog } from '../sql/sql-catalog.ts'
import type { Tables } from '../sql/tables.ts'
import { createPostgresEngine } from './postgres-engine.ts'
import { createPostgresPool } from './postgres-pool.ts'

/** What opening a PostgreSQL catalog needs. */
export interface OpenPostgresOptions {
  readonly url: string
  readonly clock: Clock
  readonly leaseClock: Clock | null
  readonly logger: Logger | null
  readonly busyTimeoutMs: number
}

/** Connects, brings the schema up to date, and returns the catalog. */
export async function openPostgresCatalog(options: OpenPostgresOptions): Promise<Catalog> {
  const { url, clock, leaseClock, logger, busyTimeoutMs } = options
  const pool = createPostgresPool({ url, lockTimeoutMs: busyTimeoutMs, logger })
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  try {
    const session = createSession(db, createPostgresEngine(leaseClock), clock)
    const { catalogId, applied } = await migrate(session)
    if (applied.length > 0) logger?.info({ migrations: applied }, 'catalog migrated')
    return { ...createSqlCatalog(session), id: catalogId, close: () => db.destroy() }
  } catch (error) {
    await db.destroy()
    throw error
  }
}
