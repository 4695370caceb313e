import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 100
const ANSWER_MS = 5_000
const SHOWN_CHARACTERS = 500

/** What a readiness probe answered: null means ready, else why not. */
export type NotReady = string | null

/** Asks the API once whether the service can work. */
export async function askReadiness(apiUrl: string, signal: AbortSignal): Promise<NotReady> {
  try {
    const response = await fetch(`${apiUrl}/readyz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    })
    const body = await response.text()
    return response.ok ? null : `${response.status} ${body.slice(0, SHOWN_CHARACTERS)}`
  } catch {
    return 'the API does not answer yet'
  }
}

/** Asks until the service can work. Rejects with the signal's reason; `tell` gets each new answer that is a no. */
export async function untilReady(
  apiUrl: string,
  signal: AbortSignal,
  tell: (why: string) => void,
): Promise<void> {
  for (let previous = ''; ; ) {
    signal.throwIfAborted()
    const why = await askReadiness(apiUrl, signal)
    if (why === null) return
    if (why !== previous) tell(why)
    previous = why
    await sleep(POLL_MS, undefined, { signal }).catch(() => {})
  }
}
