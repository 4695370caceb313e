import type { SqlBool } from 'kysely'
import { sql } from 'kysely'

// literals, not parameters: the partial indexes are found by their text

/** `operations` that are queued, waiting or running. */
export const isUnfinished = sql<SqlBool>`state in ('queued', 'waiting', 'running')`

/** `operations` that no worker has begun, or that were handed back. */
export const isInLine = sql<SqlBool>`state in ('queued', 'waiting')`
