import type { Counting } from '@holdfast/core'
import { rowCountsOf } from '../contents/count-database.ts'
import type { Digests } from '../contents/count-tables.ts'
import { countTables, digestMethodFor } from '../contents/count-tables.ts'
import type { PinnedMoment } from './pin-moment.ts'

/** What was counted at the pinned moment. */
export interface Counted {
  readonly rowCounts: Readonly<Record<string, number>>
  /** Null unless rows were counted exactly. */
  readonly digests: Digests | null
}

/** Counts what is in the dump, as exactly as is asked for. */
export async function countPinned(
  { shares }: PinnedMoment,
  counting: Counting,
  onCounted: () => void,
  signal: AbortSignal,
): Promise<Counted> {
  const [first] = shares
  if (first === undefined || counting === 'off') return { rowCounts: {}, digests: null }
  if (counting === 'estimate') {
    const tables = shares.flatMap((share) => share.tables).filter(({ derived }) => !derived)
    return {
      rowCounts: Object.fromEntries(tables.map(({ key, estimate }) => [key, estimate])),
      digests: null,
    }
  }
  const method = digestMethodFor(first.session.serverVersion)
  const digests = await countTables(shares, method, signal, onCounted)
  return { rowCounts: rowCountsOf(digests), digests }
}
