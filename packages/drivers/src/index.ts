import type { DriverFactory, DriverRegistry } from '@holdfast/core'
import { mysqlDriverFactory } from './mysql/mysql-factory.ts'
import { postgresDriverFactory } from './postgres/postgres-factory.ts'
import { EngineRegistry } from './registry.ts'
import { sqliteDriverFactory } from './sqlite/sqlite-factory.ts'

export type { MysqlDriverOptions } from './mysql/mysql-factory.ts'
export { mysqlDriverFactory } from './mysql/mysql-factory.ts'
export type { PostgresDriverOptions } from './postgres/postgres-factory.ts'
export { postgresDriverFactory } from './postgres/postgres-factory.ts'
export type { SqliteDriverOptions } from './sqlite/sqlite-factory.ts'
export { sqliteDriverFactory } from './sqlite/sqlite-factory.ts'

/** What an operator may set for engines. */
export interface EngineSettings {
  /** Looked at first for PostgreSQL's client programs. */
  readonly postgresBinDir?: string | null
  /** Looked at first for the client programs of MySQL and MariaDB. */
  readonly mysqlBinDir?: string | null
}

/** Every engine that is supported: one line each. */
const supported: readonly ((settings: EngineSettings) => DriverFactory)[] = [
  () => sqliteDriverFactory(), // SQLite 3 files
  ({ postgresBinDir }) => postgresDriverFactory({ binDirectory: postgresBinDir ?? null }), // PostgreSQL 12 and later
  ({ mysqlBinDir }) => mysqlDriverFactory({ binDirectory: mysqlBinDir ?? null }), // MySQL 5.7, MariaDB 10.5 and later
]

/** All engines that are supported. */
export function supportedEngines(settings: EngineSettings = {}): readonly DriverFactory[] {
  return supported.map((create) => create(settings))
}

/** The engines of this process: all that are supported, unless others are given. Close it when done. */
export function createDriverRegistry(
  factories: readonly DriverFactory[] = supportedEngines(),
): DriverRegistry {
  return new EngineRegistry(factories)
}
