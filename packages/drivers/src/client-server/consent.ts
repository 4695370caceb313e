import { setTimeout as delay } from 'node:timers/promises'
import { AppError, cancellation, throwIfAborted } from '@holdfast/core'

/** How long whoever is asked may take: meanwhile others wait for locks. */
export const CONSENT_WITHIN_MS = 60_000

/** Asks for leave right before a commit. Whoever is asked may never answer, and the connection may be lost meanwhile. */
export async function consent(
  confirm: () => Promise<void>,
  signal: AbortSignal,
  lost: AbortSignal,
): Promise<void> {
  const given = new AbortController()
  const stop = AbortSignal.any([signal, lost])
  const wait = delay(CONSENT_WITHIN_MS, undefined, { signal: AbortSignal.any([stop, given.signal]) })
  const stopped = wait.then(
    () => Promise.reject(new AppError('DATABASE_LOCKED', 'the consent to the swap took too long')),
    () => Promise.reject(signal.aborted ? cancellation(signal) : stop.reason),
  )
  stopped.catch(() => {})
  try {
    await Promise.race([confirm(), stopped])
  } finally {
    given.abort()
  }
  throwIfAborted(signal)
}
