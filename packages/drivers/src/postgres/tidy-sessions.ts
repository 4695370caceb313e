import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresParts } from './postgres-parts.ts'
import type { Session } from './session.ts'
import { openSession } from './session.ts'
import { endSessions } from './tag.ts'

const POLL_MS = 100

/**
 * Ends all that works on the server under a tag, and waits until it is gone; for as long as is allowed, since the
 * server may be what failed. Returns whether nothing is left.
 */
export async function tidySessions(
  parts: Pick<PostgresParts, 'connection' | 'patience'>,
  place: { readonly database: string; readonly tag: string },
): Promise<boolean> {
  const signal = AbortSignal.timeout(parts.patience.tidyWithinMs)
  while (!signal.aborted) {
    const left = await endOnce(parts, place, signal)
    if (left === 0) return true
    await delay(POLL_MS)
  }
  return false
}

/** How many sessions were still there; null if nobody could be asked. */
async function endOnce(
  { connection }: Pick<PostgresParts, 'connection'>,
  { database, tag }: { readonly database: string; readonly tag: string },
  signal: AbortSignal,
): Promise<number | null> {
  let session: Session | null = null
  try {
    session = await openSession(connection, { database, applicationName: 'holdfast', signal })
    return await endSessions(session, tag)
  } catch {
    // there is nothing better to do than to try again: why it failed is known by who asked for this
    return null
  } finally {
    await session?.close()
  }
}
