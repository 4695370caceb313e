import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldLock, Logger } from '@holdfast/core'
import { hasCode } from '@holdfast/core'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2_000
/** Afterwards whoever takes over does the rest. */
const GIVE_UP_MS = 5 * 60_000

/**
 * Writes to the catalog, again and again while it is away: what was done must be on record. The write is fenced, so
 * trying is safe even when the lease has passed. Rejects with whatever else the catalog says.
 */
export async function persist<Answer>(
  { log }: { readonly log: Logger },
  held: HeldLock,
  write: () => Promise<Answer>,
): Promise<Answer> {
  const giveUpAt = performance.now() + GIVE_UP_MS
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      return await write()
    } catch (error) {
      if (!hasCode(error, 'CATALOG_UNAVAILABLE') || performance.now() > giveUpAt) throw error
      if (delayMs === FIRST_DELAY_MS)
        log.warn({ operationId: held.operationId }, 'catalog away, will record later')
    }
    await sleep(delayMs)
  }
}
