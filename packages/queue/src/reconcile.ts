import type { NextInLine, Operation, OperationStore } from '@holdfast/core'
import type { BullJobQueue } from './job-queue.ts'

export interface ReconcileDeps {
  readonly operations: Pick<OperationStore, 'listUnfinished' | 'nextInLine'>
  readonly queue: Pick<BullJobQueue, 'withoutJob' | 'enqueue' | 'promote'>
}

export interface Reconciled {
  readonly enqueued: number
  readonly promoted: number
}

type Unfinished = Awaited<ReturnType<OperationStore['listUnfinished']>>[number]

/**
 * Makes Redis agree with the catalog: whatever is accepted, not finished, and not being worked on gets its job again,
 * in the order of acceptance, and whoever may go on is woken. Any number of workers may do it at the same time.
 */
export async function reconcile({ operations, queue }: ReconcileDeps): Promise<Reconciled> {
  const unfinished = await operations.listUnfinished()
  // a live lease: somebody works on it and will record the end, whether or not Redis still knows
  const idle = unfinished.filter((entry) => !entry.leaseLive)
  if (idle.length === 0) return { enqueued: 0, promoted: 0 }
  const missing = await queue.withoutJob(idle.map((entry) => entry.operation))
  for (const operation of missing) await queue.enqueue(operation)
  const awake = new Set(missing.map((operation) => operation.id))
  const sleeping = (await runnable(operations, unfinished)).filter((next) => !awake.has(next.id))
  for (const operation of sleeping) await queue.promote(operation)
  return { enqueued: missing.length, promoted: sleeping.length }
}

/** Work whose worker was lost, and the first in line of every database that is free. */
async function runnable(
  operations: ReconcileDeps['operations'],
  unfinished: readonly Unfinished[],
): Promise<readonly NextInLine[]> {
  const abandoned = unfinished.filter(
    ({ operation, leaseLive }) => operation.state === 'running' && !leaseLive,
  )
  const lockKeys = freeLockKeys(unfinished.map((entry) => entry.operation))
  const next = await Promise.all(lockKeys.map((lockKey) => operations.nextInLine(lockKey)))
  return [...abandoned.map((entry) => entry.operation), ...next.filter((entry) => entry !== null)]
}

function freeLockKeys(unfinished: readonly Operation[]): readonly string[] {
  const taken = new Set(unfinished.filter(({ state }) => state === 'running').map(({ lockKey }) => lockKey))
  const wanted = new Set(unfinished.filter(({ state }) => state === 'waiting').map(({ lockKey }) => lockKey))
  return [...wanted].filter((lockKey) => !taken.has(lockKey))
}
