import type { Clock, Operation, OperationEvent, OperationStore } from '@holdfast/core'
import { isFinished } from '@holdfast/core'
import { Bell } from './bell.ts'

/** What tells of changes. Events may be lost, so that everything here also looks into the catalog now and then. */
export interface OperationWatcher {
  readonly operations: Pick<OperationStore, 'get' | 'list'>
  readonly events: {
    subscribe(listener: (event: OperationEvent) => void): () => void
    since(eventId: string): Promise<readonly OperationEvent[]>
  }
  readonly clock: Clock
  /** Aborted when the process is about to end: nobody may be kept waiting then. */
  readonly closing: AbortSignal
}

const POLL_MS = 1000

/** The operation once it is finished, or as it is when the time has passed or nobody waits any more. */
export async function untilFinished(
  watcher: OperationWatcher,
  id: string,
  waitMs: number,
  gone: AbortSignal,
): Promise<Operation> {
  const deadline = watcher.clock.now() + waitMs
  const ended = AbortSignal.any([gone, watcher.closing])
  const bell = new Bell()
  const unsubscribe = watcher.events.subscribe((event) => {
    if (event.operationId === id) bell.ring()
  })
  try {
    for (;;) {
      const operation = await watcher.operations.get(id)
      const leftMs = deadline - watcher.clock.now()
      if (isFinished(operation) || leftMs <= 0 || ended.aborted) return operation
      await bell.wait(Math.min(POLL_MS, leftMs), ended)
    }
  } finally {
    unsubscribe()
  }
}

/** One state of an operation, and the newest event known when it was read. */
export interface Observation {
  readonly eventId: string
  readonly operation: Operation
}

/** Before the first event there ever was. */
export const NO_EVENT = '0-0'

/** The operation as it is now, and after each change until it is finished; null when nothing changed for a while. */
export async function* observeOperation(
  watcher: OperationWatcher,
  id: string,
  quietMs: number,
  ended: AbortSignal,
): AsyncGenerator<Observation | null> {
  const bell = new Bell()
  let eventId = NO_EVENT
  const unsubscribe = watcher.events.subscribe((event) => {
    if (event.operationId !== id) return
    eventId = event.id
    bell.ring()
  })
  try {
    let seen = ''
    let quietSince = watcher.clock.now()
    while (!ended.aborted) {
      const operation = await watcher.operations.get(id)
      const state = JSON.stringify(operation)
      if (state !== seen) yield { eventId, operation }
      else if (watcher.clock.now() - quietSince < quietMs) {
        await bell.wait(POLL_MS, ended)
        continue
      } else yield null
      if (isFinished(operation)) return
      seen = state
      quietSince = watcher.clock.now()
    }
  } finally {
    unsubscribe()
  }
}
