import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { CheckReport, CheckRequest, DatabaseDriver, DriverContext, DriverFactory } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { HelperPool } from './helper-pool.ts'
import { sqliteRestoreSteps } from './restore-steps.ts'
import { SqliteDriver } from './sqlite-driver.ts'
import { formatSqliteUrl, parseSqliteUrl } from './sqlite-url.ts'

/** How patient the driver is. */
export interface SqliteDriverOptions {
  /** How long to wait for a lock that another process holds. */
  readonly lockWaitMs?: number
  /** How long opening a file may take, the wait for its lock included. */
  readonly openWithinMs?: number
}

const DEFAULTS = { lockWaitMs: 5_000, openWithinMs: 20_000 } as const

/** The SQLite engine: databases are files, opened by helper processes that all its drivers share. */
export function sqliteDriverFactory(options: SqliteDriverOptions = {}): DriverFactory {
  const patience = { ...DEFAULTS, ...options }
  const pool = new HelperPool()
  return {
    engine: 'sqlite',
    schemes: ['sqlite'],
    formats: [{ name: 'sqlite', extension: 'sqlite', streams: false }],
    supports: { globals: false, filter: false, snapshot: true, definers: false },
    servers: null,

    create(url: string, context: DriverContext): DatabaseDriver {
      return new SqliteDriver(parseSqliteUrl(url), { pool, context, patience })
    },

    displayUrl: (url) => formatSqliteUrl(parseSqliteUrl(url)),

    async check(
      { file, depth, dump }: CheckRequest,
      _context: DriverContext,
      signal: AbortSignal,
    ): Promise<CheckReport> {
      if (dump.format !== 'sqlite') {
        throw new AppError('INVALID_REQUEST', `the SQLite driver knows no format ${dump.format}`)
      }
      const report = await pool.run('check', { file, depth }, { signal, openWithinMs: patience.openWithinMs })
      return { ...report, rowCounts: report.rowCounts && Object.fromEntries(report.rowCounts) }
    },

    restoreSteps: sqliteRestoreSteps,

    lockKeyOf: async (url) => `sqlite:${await resolvedPath(parseSqliteUrl(url))}`,

    close: () => pool.close(),
  }
}

/** Links followed as far as the path exists, so that two URLs of one file have one key. */
async function resolvedPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    // not there or not readable: whoever opens it will say so; its place is still the best key there is
    return path === dirname(path) ? path : join(await resolvedPath(dirname(path)), basename(path))
  }
}
