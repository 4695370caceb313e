import { throwIfAborted } from '@holdfast/core'
import { quoteQualified } from '../quote.ts'
import type { TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { rowDigest } from './row-digest.ts'

/** What a session goes back to between two tables. */
export const SAVEPOINT = 'holdfast'

export interface CountOptions {
  /** Without them rows alone are counted. */
  readonly digests: boolean
  /** Whether rows that are history count, too: only if the dump has them. */
  readonly history: boolean
  readonly onCounted?: (table: TableObject) => void
  /**
   * The sessions are in a transaction with our {@link SAVEPOINT}: tables that were counted are let go, or who wants to
   * alter one would wait until all are, and everybody else behind him.
   */
  readonly lettingGo?: boolean
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
 * Counts tables by name, each in one scan, as the sessions see them; several sessions share the work, and each takes
 * the largest table that is left. Rejects with what the server answers, or with the cancellation.
 */
export async function countTables(
  sessions: readonly Session[],
  schema: string,
  tables: readonly TableObject[],
  options: CountOptions,
): Promise<ReadonlyMap<string, Counted>> {
  const left = tables.toSorted((one, other) => one.sizeBytes - other.sizeBytes)
  const counted = new Map<string, Counted>()
  const work = async (session: Session): Promise<void> => {
    for (let table = left.pop(); table !== undefined; table = left.pop()) {
      throwIfAborted(options.signal)
      counted.set(table.name, await countTable(session, schema, table, options))
      if (options.lettingGo) await session.query(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
      options.onCounted?.(table)
    }
  }
  const ends = await Promise.allSettled(
    sessions.map((session) =>
      work(session).catch((error: unknown) => {
        // nobody needs the rest
        left.length = 0
        throw error
      }),
    ),
  )
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return counted
}

type Row = Readonly<Record<string, string | null>>

async function countTable(
  session: Session,
  schema: string,
  table: TableObject,
  { digests, history }: CountOptions,
): Promise<Counted> {
  const withHistory = history && table.versioned
  const { expression, floats } = rowDigest(table, session.server, withHistory)
  const columns = [
    'COUNT(*) AS `rows`',
    ...(digests ? [`SUM(${expression}) AS digest`] : []),
    ...(digests ? floats.map(({ changes }, at) => `SUM(${changes}) AS float${at}`) : []),
  ]
  const from = `${quoteQualified(schema, table.name)}${withHistory ? ' FOR SYSTEM_TIME ALL' : ''}`
  const [row] = await session.query<Row>(`SELECT ${columns.join(', ')} FROM ${from}`)
  const rows = Number(row?.rows)
  const digest = row?.digest ?? null
  if (digests && rows > 0 && digest === null)
    throw new Error('the server gave no digest of a table that has rows')
  return {
    rows,
    digest: digests ? (digest ?? '0') : null,
    changingFloats: floats.flatMap(({ column }, at) =>
      Number(row?.[`float${at}`] ?? 0) > 0 ? [column] : [],
    ),
  }
}
