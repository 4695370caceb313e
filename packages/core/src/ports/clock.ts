/** The only source of time for everything in core. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number
}

/** The wall clock of this machine. */
export const systemClock: Clock = { now: () => Date.now() }

/** The moment as UTC ISO-8601, the form of every time in the catalog, the API and manifests. */
export function isoNow(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
