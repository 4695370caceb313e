import type { DriverContext } from '@holdfast/core'
import type { Patience } from '../client-server/patience.ts'
import type { Toolbox } from './client-tools.ts'
import type { MysqlConnection } from './mysql-url.ts'

/** What all that works on one database or server shares. */
export interface MysqlParts {
  readonly connection: MysqlConnection
  readonly context: DriverContext
  readonly patience: Patience
  readonly toolbox: Toolbox
}
