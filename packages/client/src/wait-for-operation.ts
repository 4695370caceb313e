import { HoldfastError } from './holdfast-error.ts'
import { pause } from './pause.ts'
import { isOutage } from './read-answer.ts'
import type { CallOptions, Transport } from './transport.ts'
import type { Operation } from './views.ts'

/** How to wait for an operation. */
export interface WaitOptions extends CallOptions {
  /** Called with each state of the operation that differs from the one before, the last one included. */
  readonly onProgress?: ((operation: Operation) => void) | undefined
  /** No limit by default: an operation takes as long as it takes. */
  readonly timeoutMs?: number | undefined
}

/** The service answers a poll at the end of the operation, or after this long. */
const POLL_S = 25
/** With someone looking at the progress, answers come more often. */
const WATCHED_POLL_S = 0.5
/** A service that restarts is waited for, this long. */
const OUTAGE_MS = 60_000
const OUTAGE_PAUSE_MS = 1_000

/**
 * Waits until an operation is finished and resolves with it, whatever its end. Rejects with TIMEOUT, with the signal's
 * reason, or with the service's refusal; an outage of the service up to a minute long is waited out.
 */
export async function waitForOperation(
  transport: Transport,
  operationId: string,
  options: WaitOptions = {},
): Promise<Operation> {
  const { onProgress, timeoutMs = Number.POSITIVE_INFINITY, signal } = options
  const deadline = performance.now() + timeoutMs
  let lastShown = ''
  let answeredAt = performance.now()
  for (;;) {
    const leftS = Math.max(0, deadline - performance.now()) / 1_000
    try {
      const wait = Math.min(onProgress ? WATCHED_POLL_S : POLL_S, leftS)
      // the first look is at once: somebody wants to know the state that it is in
      const operation = await poll(transport, operationId, lastShown === '' && onProgress ? 0 : wait, signal)
      answeredAt = performance.now()
      const shown = JSON.stringify(operation)
      if (shown !== lastShown) onProgress?.(operation)
      lastShown = shown
      if (isFinished(operation)) return operation
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof HoldfastError && isOutage(error))) throw error
      if (performance.now() - answeredAt > OUTAGE_MS) throw error
      await pause(Math.min(OUTAGE_PAUSE_MS, leftS * 1_000), signal)
    }
    if (performance.now() >= deadline) throw tooLate(operationId, timeoutMs)
  }
}

function poll(
  transport: Transport,
  operationId: string,
  wait: number,
  signal: AbortSignal | undefined,
): Promise<Operation> {
  return transport.json({
    method: 'GET',
    path: `/v1/operations/${encodeURIComponent(operationId)}`,
    query: { wait },
    extraMs: wait * 1_000,
    signal,
  })
}

function isFinished({ state }: Operation): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

function tooLate(operationId: string, timeoutMs: number): HoldfastError {
  return new HoldfastError({
    code: 'TIMEOUT',
    detail: `operation ${operationId} is not finished after ${timeoutMs} ms`,
    hint: 'it goes on: wait again, or cancel it',
  })
}
