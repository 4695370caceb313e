import type { DriverContext } from '@holdfast/core'
import type { Patience } from '../client-server/patience.ts'
import type { Toolbox } from './client-tools.ts'
import type { PostgresConnection } from './postgres-url.ts'

/** What all that works on one database or server shares. */
export interface PostgresParts {
  readonly connection: PostgresConnection
  readonly context: DriverContext
  readonly patience: Patience
  readonly toolbox: Toolbox
}
