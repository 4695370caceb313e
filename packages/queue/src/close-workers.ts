import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'bullmq'
import type { RunningOperations } from './running-operations.ts'

/** For handing back what was stopped. */
const HAND_BACK_MS = 3_000
/** For a Redis that is away: BullMQ would wait for it for ever. */
const FORCE_MS = 500

/**
 * Closes BullMQ's workers: no new jobs at once, running work is stopped after the grace time, and whatever has not
 * been handed back soon after is left to be taken over when its lease has passed.
 */
export async function closeWorkers(
  workers: readonly Worker[],
  { graceMs, running }: { readonly graceMs: number; readonly running: RunningOperations },
): Promise<void> {
  const closed = Promise.allSettled(workers.map((worker) => worker.close()))
  if (await settlesWithin(closed, graceMs)) return
  running.handBackAll()
  if (await settlesWithin(closed, HAND_BACK_MS)) return
  running.abandonAll()
  await settlesWithin(Promise.allSettled(workers.map(forceClosed)), FORCE_MS)
}

async function forceClosed(worker: Worker): Promise<void> {
  const backend = worker.getBackend()
  const clients = await Promise.all([backend.blockingClient, backend.client])
  for (const client of clients) client?.disconnect()
}

async function settlesWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(limitMs, false, { signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    timer.abort()
  }
}
