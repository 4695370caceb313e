import type { AppError } from '@holdfast/core'
import type { Kysely, RawBuilder, Transaction } from 'kysely'
import type { Tables } from './tables.ts'

/** Where statements go: the database itself, or a transaction on it. */
export type Database = Kysely<Tables>
export type DatabaseTransaction = Transaction<Tables>

/** Everything that differs between SQLite and PostgreSQL. No query asks for an engine's name. */
export interface Engine {
  readonly name: string
  readonly schema: SchemaFacts
  /** Rows read to be judged are locked by `for update`. False where a transaction is the only writer anyway. */
  readonly lockRows: boolean
  /** Epoch ms that leases are measured by, taken in the statement where the database has a clock of its own. */
  leaseNow(): RawBuilder<number>
  /** The text of one label in a JSON column of labels, or null. */
  label(column: 'labels', key: string): RawBuilder<string | null>
  /** Names of all tables where the catalog's would be. */
  tableNames(db: Database): Promise<readonly string[]>
  /** Makes this transaction the only one that migrates; false: somebody else is at it. */
  lockMigrations(trx: DatabaseTransaction): Promise<boolean>
  /** How long to wait before doing the same again after this error; null: do not. `attempt` counts from 1. */
  retryAfterMs(error: unknown, attempt: number): number | null
  /** What a database error means to callers; null if it is none that we foresaw. */
  translate(error: unknown): AppError | null
}

/** How the engine spells what the migrations need. */
export interface SchemaFacts {
  /** Type of a column that numbers rows for ever upwards and is the primary key. */
  readonly serial: string
  /** Statements to run before the tables are made. */
  readonly prelude: readonly string[]
  /** Body of a trigger that refuses the change with this message. */
  refusal(message: string): string
  /** Statement that removes a trigger. */
  dropTrigger(name: string, table: string): string
}
