import type { DriverFactory, DriverRegistry } from '@holdfast/core'
import { EngineRegistry } from './registry.ts'
import { sqliteDriverFactory } from './sqlite/sqlite-factory.ts'

export type { SqliteDriverOptions } from './sqlite/sqlite-factory.ts'
export { sqliteDriverFactory } from './sqlite/sqlite-factory.ts'

/** Every engine that is supported: one line each. */
const supported: readonly (() => DriverFactory)[] = [
  () => sqliteDriverFactory(), // SQLite 3 files
]

/** The engines of this process: all that are supported, unless others are given. Close it when done. */
export function createDriverRegistry(factories?: readonly DriverFactory[]): DriverRegistry {
  return new EngineRegistry(factories ?? supported.map((create) => create()))
}
