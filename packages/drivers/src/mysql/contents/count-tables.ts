import type { TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'

export interface CountOptions {
  /** Without them rows alone are counted. */
  readonly digests: boolean
  /** Whether rows that are history count, too: only if the dump has them. */
  readonly history: boolean
  readonly onCounted?: (table: TableObject) => void
  readonly signal: AbortSignal
}

/** What one scan of a table has shown. */
export interface Counted {
  readonly rows: number
  /** Null if none was asked for. */
  readonly digest: string | null
  /** FLOAT columns with values that no dump keeps; not looked for without digests. */
  readonly changingFloats: readonly string[]
}

/**
 * Counts tables by name, each in one scan, as the sessions see them; several sessions share the work. Rejects with
 * what the server answers.
 */
export async function countTables(
  sessions: readonly Session[],
  schema: string,
  tables: readonly TableObject[],
  options: CountOptions,
): Promise<ReadonlyMap<string, Counted>> {
  throw new Error(`${sessions.length}${schema}${tables.length}${options.digests}`)
}
