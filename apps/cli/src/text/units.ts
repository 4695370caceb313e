const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** What a person sees in place of something that is not there. */
export const NOTHING = '-'

/** `12.3 MiB`. */
export function bytesText(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NOTHING
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  const value = bytes / 1024 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`
}

/** `2026-01-31 12:00:05Z`: always UTC, so that two people see the same. */
export function momentText(iso: string | null | undefined): string {
  if (!iso) return NOTHING
  const time = Date.parse(iso)
  if (Number.isNaN(time)) return iso
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** `850 ms`, `12.3 s`, `4 min 5 s`, `3 h 12 min`, `5 d 2 h`. */
export function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NOTHING
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`
  if (ms < MINUTE_MS) return `${(ms / SECOND_MS).toFixed(1)} s`
  if (ms < HOUR_MS) return two(ms, MINUTE_MS, 'min', SECOND_MS, 's')
  if (ms < DAY_MS) return two(ms, HOUR_MS, 'h', MINUTE_MS, 'min')
  return two(ms, DAY_MS, 'd', HOUR_MS, 'h')
}

/** `1,234,567`. */
export function countText(count: number | null | undefined): string {
  return count === null || count === undefined ? NOTHING : count.toLocaleString('en-US')
}

function two(ms: number, bigMs: number, big: string, smallMs: number, small: string): string {
  const rest = Math.floor((ms % bigMs) / smallMs)
  return `${Math.floor(ms / bigMs)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`
}
