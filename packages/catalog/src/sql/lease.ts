import { AppError } from '@holdfast/core/domain'

const LONGEST_MS = 7 * 24 * 3_600_000

/** A duration fit to be written into a statement as it is, and not a moment by mistake. Throws INVALID_REQUEST. */
export function wholeMs(ms: number): number {
  if (Number.isSafeInteger(ms) && ms > 0 && ms <= LONGEST_MS) return ms
  throw new AppError('INVALID_REQUEST', 'a lease or delay is a whole number of milliseconds, up to a week')
}
