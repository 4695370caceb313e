import { firstSchema } from './0001-first-schema.ts'
import type { Migration } from './migration.ts'

/** Every migration, in the order of their versions. */
export const MIGRATIONS: readonly Migration[] = [firstSchema]
