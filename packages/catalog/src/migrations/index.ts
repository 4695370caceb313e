import { firstSchema } from './0001-first-schema.ts'
import { serverTargets } from './0002-server-targets.ts'
import type { Migration } from './migration.ts'

/** Every migration, in the order of their versions. */
export const MIGRATIONS: readonly Migration[] = [firstSchema, serverTargets]
