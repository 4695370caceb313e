import type { Stats } from '@holdfast/client'
import { momentText } from '../text/units.ts'

/** How far back a target could be restored to, if all were lost now. */
export interface Newest {
  /** Of a server: of the database whose newest backup is the oldest. */
  readonly at: string
  readonly databases: number
}

/** By target. What is not in it has no usable backup. */
export function newestBackups({ newest }: Pick<Stats, 'newest'>): ReadonlyMap<string, Newest> {
  const byTarget = new Map<string, Newest>()
  for (const { target, consistentAt } of newest) {
    const known = byTarget.get(target)
    const at = known === undefined || consistentAt < known.at ? consistentAt : known.at
    byTarget.set(target, { at, databases: (known?.databases ?? 0) + 1 })
  }
  return byTarget
}

/** For people. */
export function newestText({ at, databases }: Newest): string {
  return databases === 1 ? momentText(at) : `${momentText(at)} (oldest of ${databases} databases)`
}
