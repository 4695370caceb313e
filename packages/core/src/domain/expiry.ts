import { AppError } from '../errors.ts'

const HOUR_MS = 3_600_000
const UNIT_MS: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
  y: 365 * 24 * HOUR_MS,
}

/** Later than that there is no ISO time of four digits for the year, which is all that readers have to understand. */
const LATEST = '9999-12-31T23:59:59.999Z'

/** When a backup kept for `retain` (`30d`, `permanent` …) expires, as ISO time; null means never by itself. */
export function expiryOf(retain: string | null, fromIso: string): string | null {
  if (retain === null || retain === 'permanent') return null
  const unitMs = UNIT_MS[retain.slice(-1)]
  const count = Number(retain.slice(0, -1))
  if (unitMs === undefined || !Number.isSafeInteger(count) || count < 1) {
    throw new AppError('INVALID_REQUEST', "retain is not 'permanent' or a time such as 12h, 30d, 8w or 1y")
  }
  return new Date(Math.min(Date.parse(fromIso) + count * unitMs, Date.parse(LATEST))).toISOString()
}
