import type { DriverFactory } from '@holdfast/core'
import type { Patience } from '../client-server/patience.ts'
import { DEFAULT_PATIENCE } from '../client-server/patience.ts'
import { checkDump } from './check/check-dump.ts'
import { Toolbox } from './client-tools.ts'
import { listDatabases } from './list-databases.ts'
import { PostgresDriver } from './postgres-driver.ts'
import { displayPostgresUrl, parsePostgresUrl, postgresLockKey, withDatabase } from './postgres-url.ts'
import { postgresRestoreSteps } from './restore-steps.ts'

/** What may be told the engine; everything has a default. */
export interface PostgresDriverOptions extends Partial<Patience> {
  /** Where the client programs are looked for first. */
  readonly binDirectory?: string | null
}

/** The PostgreSQL engine: its own client programs and sessions of ours work side by side in one snapshot. */
export function postgresDriverFactory(options: PostgresDriverOptions = {}): DriverFactory {
  const { binDirectory = null, ...patience } = options
  const toolbox = new Toolbox({
    configuredDirectory: binDirectory,
    path: process.env.PATH ?? '',
  })
  const engine = { patience: { ...DEFAULT_PATIENCE, ...patience }, toolbox }
  return {
    engine: 'postgres',
    formats: [
      { name: 'custom', extension: 'dump', streams: true },
      { name: 'plain', extension: 'sql', streams: true },
      { name: 'directory', extension: 'dir.tar', streams: false },
      { name: 'tar', extension: 'tar', streams: true },
    ],
    supports: { globals: true, filter: true, snapshot: false, definers: false },
    servers: {
      isServer: (url) => parsePostgresUrl(url).database === null,
      urlOf: withDatabase,
      databases: (url, _context, signal) => listDatabases({ connection: parsePostgresUrl(url) }, signal),
    },
    schemes: ['postgres', 'postgresql'],
    create: (url, context) => new PostgresDriver({ ...engine, context, connection: parsePostgresUrl(url) }),
    displayUrl: (url) => displayPostgresUrl(parsePostgresUrl(url)),
    check: (request, context, signal) => checkDump({ ...engine, context }, request, signal),
    restoreSteps: postgresRestoreSteps,
    lockKeyOf: async (url) => postgresLockKey(parsePostgresUrl(url)),
    close: async () => {},
  }
}
