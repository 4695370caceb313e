import type { DumpDescription } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { listRelations } from '../contents/list-relations.ts'
import type { CountedTable } from '../contents/list-tables.ts'
import { listTables } from '../contents/list-tables.ts'
import { LARGE_OBJECTS, quotedTable } from '../contents/table-names.ts'
import type { Session } from '../session.ts'

/** What rows must be there: of every table that was counted exactly when the dump was taken. */
export type ExpectedRows = ReadonlyMap<string, number>

/** Rows of materialised views are computed anew by a restore, so that they may differ where those were not fresh. */
export function expectedRows(
  { counting, rowCounts }: Pick<DumpDescription, 'counting' | 'rowCounts'>,
  { digests }: Pick<Contents, 'digests'>,
): ExpectedRows {
  if (counting !== 'exact') return new Map()
  return new Map(Object.entries(rowCounts).filter(([key]) => digests?.tables[key]?.derived !== true))
}

/**
 * Gathers statistics, which no dump holds, and compares row counts, on all of the sessions at the same time. Rejects
 * with VERIFICATION_FAILED naming the first table that has other rows than its source had.
 */
export async function analyzeAndVerify(sessions: readonly Session[], expected: ExpectedRows): Promise<void> {
  const [first] = sessions
  if (first === undefined) throw new Error('counting needs a session')
  const waiting = await tablesToCount(first, expected)
  const work = sessions.map(async (session, index) => {
    if (index === 0) await session.query('ANALYZE')
    for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
      requireRows(table.key, await countRows(session, table), expected.get(table.key) ?? 0)
    }
  })
  await Promise.all(work)
  const objects = expected.get(LARGE_OBJECTS)
  if (objects !== undefined) requireRows(LARGE_OBJECTS, await countLargeObjects(first), objects)
}

/** Rows of all tables and of the large objects, without what is computed from others. */
export async function countAll(session: Session): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  for (const table of await listTables(session, await listRelations(session))) {
    if (!table.derived) counts[table.key] = await countRows(session, table)
  }
  const objects = await countLargeObjects(session)
  return objects === 0 ? counts : { ...counts, [LARGE_OBJECTS]: objects }
}

/** Largest first, so that no session is left alone with it in the end. */
async function tablesToCount(session: Session, expected: ExpectedRows): Promise<CountedTable[]> {
  if (expected.size === 0) return []
  const tables = await listTables(session, await listRelations(session))
  const found = new Set(tables.map(({ key }) => key))
  const missing = [...expected.keys()].find((key) => key !== LARGE_OBJECTS && !found.has(key))
  if (missing !== undefined) {
    throw new AppError('VERIFICATION_FAILED', `not restorable: table ${missing} is missing after the restore`)
  }
  return tables
    .filter(({ key }) => expected.has(key))
    .sort((one, other) => (expected.get(other.key) ?? 0) - (expected.get(one.key) ?? 0))
}

/** SQL that counts the rows of a table. */
function countQuery({ parts }: Pick<CountedTable, 'parts'>): string {
  const counts = parts.map((part) => `(SELECT count(*) FROM ${part.only ? 'ONLY ' : ''}${quotedTable(part)})`)
  return `SELECT (${['0', ...counts].join(' + ')})::text AS rows`
}

async function countRows(session: Session, table: CountedTable): Promise<number> {
  const [row] = await session.query<{ readonly rows: string }>(countQuery(table))
  return Number(row?.rows)
}

async function countLargeObjects(session: Session): Promise<number> {
  const [row] = await session.query<{ readonly rows: string }>(
    'SELECT count(*)::text AS rows FROM pg_largeobject_metadata',
  )
  return Number(row?.rows)
}

/** Rejects a table that has other rows than its source had. */
export function requireRows(key: string, found: number, expected: number): void {
  if (found === expected) return
  throw new AppError(
    'VERIFICATION_FAILED',
    `not restorable: ${key} has ${found} rows after the restore, its source had ${expected}`,
    { hint: 'a trigger, a rule or a function in the dump changes rows while they are loaded' },
  )
}
