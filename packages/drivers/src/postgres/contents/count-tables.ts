import { throwIfAborted } from '@holdfast/core'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import { probeQuery, rowHash } from './column-digest.ts'
import type { Contents, DigestMethod } from './contents-file.ts'
import { countLargeObjects } from './large-objects.ts'
import type { CountedTable } from './list-tables.ts'
import { beforeScans, scan } from './scan.ts'
import { LARGE_OBJECTS, quotedTable } from './table-names.ts'

export type Digests = NonNullable<Contents['digests']>
export type Count = Digests['tables'][string]

/** A session in a transaction of its own, and the tables that it is to count. */
export interface Share {
  readonly session: Session
  readonly tables: readonly CountedTable[]
}

const RECORDS_SINCE = 140_000

/** The digest that a server can make and all later ones, too. */
export function digestMethodFor(serverVersion: number): DigestMethod {
  return serverVersion >= RECORDS_SINCE ? 'record' : 'text'
}

/** Distributes tables so that all sessions are done at about the same time. */
export function shareOut(tables: readonly CountedTable[], sessions: readonly Session[]): readonly Share[] {
  const shares = sessions.map((session) => ({ session, tables: [] as CountedTable[], pages: 0 }))
  for (const table of tables.toSorted((one, other) => other.pages - one.pages)) {
    const least = shares.reduce((best, share) => (share.pages < best.pages ? share : best))
    least.tables.push(table)
    // even an empty table takes a moment
    least.pages += table.pages + 1
  }
  return shares
}

/**
 * Counts and digests tables and large objects, each in one scan, as the transactions of the sessions show them.
 * Rejects with DATABASE_ACCESS_DENIED where rows may not be seen, rather than count less.
 */
export async function countTables(
  shares: readonly Share[],
  method: DigestMethod,
  signal: AbortSignal,
  onCounted: () => void = () => {},
): Promise<Digests> {
  const [first] = shares
  if (first === undefined) throw new Error('counting needs a session')
  const [known] = await first.session.query<{ probe: string }>(probeQuery(method))
  const counting = shares.map((share) => countShare(share, method, signal, onCounted))
  const counts = (await Promise.all(counting)).flat()
  const objects = await countLargeObjects(first.session, method)
  if (objects !== null) counts.push([LARGE_OBJECTS, objects])
  counts.sort(([one], [other]) => (one < other ? -1 : 1))
  return { method, probe: known?.probe ?? '', tables: Object.fromEntries(counts) }
}

/** So often a table is tried of which others keep an index for themselves, each time after all others. */
const ATTEMPTS = 3
const LOCKED = '55P03'

async function countShare(
  { session, tables }: Share,
  method: DigestMethod,
  signal: AbortSignal,
  onCounted: () => void,
): Promise<[string, Count][]> {
  await beforeScans(session)
  const counts: [string, Count][] = []
  let left = tables
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const locked: CountedTable[] = []
    for (const table of left) {
      throwIfAborted(signal)
      try {
        counts.push([table.key, await countTable(session, table, method)])
        onCounted()
      } catch (error) {
        // a scan opens all indexes, which a REINDEX keeps for itself while it leaves the table to others
        if (sqlStateOf(error) !== LOCKED || attempt === ATTEMPTS) throw error
        locked.push(table)
      }
    }
    left = locked
  }
  return counts
}

async function countTable(session: Session, table: CountedTable, method: DigestMethod): Promise<Count> {
  const hash = rowHash(table.columns, method)
  const scans = table.parts.map(
    (part) =>
      `SELECT count(*) AS rows, sum(${hash}) AS digest FROM ${part.only ? 'ONLY ' : ''}${quotedTable(part)}`,
  )
  const { rows, digest } = scans.length === 0 ? { rows: 0, digest: '0' } : await scan(session, scans)
  return { rows, digest, ...(table.derived ? { derived: true as const } : {}) }
}
