import type { Catalog, Clock, Logger } from '@holdfast/core'
import { parseCatalogUrl } from './catalog-url.ts'

/** What {@link openCatalog} needs. */
export interface OpenCatalogOptions {
  /** `sqlite:/path`, `sqlite:relative/path` or `postgres://…`. */
  readonly url: string
  readonly clock: Clock
  readonly logger?: Logger
  /** How long a call waits for others that write; then it rejects with CATALOG_UNAVAILABLE. */
  readonly busyTimeoutMs?: number
  /** For tests: what leases are measured by instead of the machine's clock (SQLite) or the server's (PostgreSQL). */
  readonly leaseClock?: Clock
}

const BUSY_MS = 4_000

/**
 * Opens the catalog, made and brought up to date if need be: however many processes do this at once, each migration
 * is applied once. Rejects with INVALID_CONFIGURATION, CATALOG_UNAVAILABLE, or CATALOG_MISMATCH for a database that
 * is no catalog or one of a newer version.
 */
export async function openCatalog(options: OpenCatalogOptions): Promise<Catalog> {
  const { url, clock, logger = null, busyTimeoutMs = BUSY_MS, leaseClock = null } = options
  const common = { clock, leaseClock, logger, busyTimeoutMs }
  const place = parseCatalogUrl(url)
  // a process loads the engine that it uses
  if (place.engine === 'sqlite') {
    const { openSqliteCatalog } = await import('./sqlite/open-sqlite.ts')
    return await openSqliteCatalog({ file: place.file, ...common })
  }
  const { openPostgresCatalog } = await import('./postgres/open-postgres.ts')
  return await openPostgresCatalog({ url: place.url, ...common })
}
