import type { Counting } from '@holdfast/core'
import type { Counted } from '../contents/count-tables.ts'
import { countTables } from '../contents/count-tables.ts'
import type { TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import type { Source } from './describe-source.ts'
import { isElsewhere } from './source-warnings.ts'

/** What was counted, by table. */
export interface SourceCounts {
  /** What came of it: less than was asked for if counts are of another moment. */
  readonly counting: Counting
  readonly tables: ReadonlyMap<string, Counted>
}

/** How to count. */
export interface CountJob {
  readonly sessions: readonly Session[]
  readonly source: Source
  readonly counting: Counting
  /** Why counts are not of the moment of the dump; null if they are. */
  readonly reason: string | null
  readonly onCounted: () => void
}

/** Tables whose rows are in a dump. */
export function countedTables({ tables }: Source): readonly TableObject[] {
  return tables.filter((table) => table.kind === 'table' && !isElsewhere(table))
}

/** Counts what is in the dump, as exactly as was asked for and can be. */
export async function countSource(job: CountJob, signal: AbortSignal): Promise<SourceCounts> {
  const { sessions, source, counting, reason, onCounted } = job
  const tables = countedTables(source)
  if (counting === 'off') return { counting, tables: new Map() }
  if (counting === 'estimate') {
    const guessed = tables.map(({ name, estimatedRows }) => [name, guess(estimatedRows)] as const)
    return { counting, tables: new Map(guessed) }
  }
  // values that a dump does not keep are found along with digests only
  const needsScan = reason === null || tables.some(hasFloat)
  const options = { digests: needsScan, history: source.history, onCounted, lettingGo: true, signal }
  const counted = await countTables(sessions, source.schema, tables, options)
  return { counting: reason === null ? 'exact' : 'estimate', tables: counted }
}

function hasFloat({ columns }: TableObject): boolean {
  return columns.some(({ dataType }) => dataType === 'float')
}

function guess(rows: number): Counted {
  return { rows, digest: null, changingFloats: [] }
}

/** Columns whose values come back changed from any dump, as `table.column`. */
export function changingFloats({ tables }: SourceCounts): readonly string[] {
  return [...tables].flatMap(([table, counted]) =>
    counted.changingFloats.map((column) => `${table}.${column}`),
  )
}
