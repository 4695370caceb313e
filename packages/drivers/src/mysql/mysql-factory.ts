import type { DriverFactory } from '@holdfast/core'
import type { Patience } from '../client-server/patience.ts'
import { DEFAULT_PATIENCE } from '../client-server/patience.ts'
import { checkDump } from './check/check-dump.ts'
import { Toolbox } from './client-tools.ts'
import { listDatabases } from './list-databases.ts'
import { MysqlDriver } from './mysql-driver.ts'
import { displayMysqlUrl, mysqlLockKey, parseMysqlUrl, withDatabase } from './mysql-url.ts'
import { mysqlRestoreSteps } from './restore-steps.ts'

/** What may be told the engine; everything has a default. */
export interface MysqlDriverOptions extends Partial<Patience> {
  /** Where the client programs are looked for first. */
  readonly binDirectory?: string | null
}

/** MySQL and MariaDB: which of the two a server is, and what follows from it, is found out when it is asked. */
export function mysqlDriverFactory(options: MysqlDriverOptions = {}): DriverFactory {
  const { binDirectory = null, ...patience } = options
  const toolbox = new Toolbox({
    configuredDirectory: binDirectory,
    path: process.env.PATH ?? '',
  })
  const engine = { patience: { ...DEFAULT_PATIENCE, ...patience }, toolbox }
  return {
    engine: 'mysql',
    formats: [{ name: 'plain', extension: 'sql', streams: true }],
    supports: { globals: true, filter: true, snapshot: false, definers: true },
    servers: {
      isServer: (url) => parseMysqlUrl(url).database === null,
      urlOf: withDatabase,
      databases: (url, _context, signal) => listDatabases({ connection: parseMysqlUrl(url) }, signal),
    },
    schemes: ['mysql', 'mariadb'],
    create: (url, context) => new MysqlDriver({ ...engine, context, connection: parseMysqlUrl(url) }),
    displayUrl: (url) => displayMysqlUrl(parseMysqlUrl(url)),
    check: (request, context, signal) => checkDump({ ...engine, context }, request, signal),
    restoreSteps: mysqlRestoreSteps,
    lockKeyOf: async (url) => mysqlLockKey(parseMysqlUrl(url)),
    close: async () => {},
  }
}
