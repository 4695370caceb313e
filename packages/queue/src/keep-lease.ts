import type { HeldLock, Logger, OperationStore } from '@holdfast/core'
import { toFailure } from '@holdfast/core'

export interface LeaseDeps {
  readonly operations: Pick<OperationStore, 'renew' | 'get'>
  readonly leaseMs: number
  readonly log: Logger
}

export interface LeaseListener {
  /** Somebody else may own the database now. */
  lost(): void
  /** A person asked for the operation to be cancelled. */
  cancelRequested(): void
}

/**
 * Renews the lease every third of its length until stopped. It is lost when the catalog says so, or when it has run
 * out while the catalog could not be asked, or while this process was frozen: then one last renewal decides.
 */
export function keepLease(deps: LeaseDeps, held: HeldLock, listener: LeaseListener): { stop(): void } {
  const { leaseMs } = deps
  let renewedAt = performance.now()
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const stop = (): void => {
    stopped = true
    clearTimeout(timer)
  }
  const lose = (): void => {
    if (stopped) return
    stop()
    listener.lost()
  }
  const plan = (delayMs: number): void => {
    if (!stopped) timer = setTimeout(() => void beat(), delayMs)
  }
  const beat = async (): Promise<void> => {
    const startedAt = performance.now()
    const remainingMs = Math.max(renewedAt + leaseMs - startedAt, 0)
    const outcome = await orLate(renew(deps, held), Math.max(remainingMs, leaseMs / 3))
    if (stopped) return
    if (outcome === 'lost') return lose()
    if (outcome !== 'renewed') {
      if (performance.now() >= renewedAt + leaseMs) return lose()
      return plan(leaseMs / 10)
    }
    renewedAt = startedAt
    plan(leaseMs / 3)
    if (await isCancelRequested(deps, held)) listener.cancelRequested()
  }
  plan(leaseMs / 3)
  return { stop }
}

async function renew(
  { operations, leaseMs, log }: LeaseDeps,
  held: HeldLock,
): Promise<'renewed' | 'lost' | 'unknown'> {
  try {
    return (await operations.renew(held, leaseMs)) ? 'renewed' : 'lost'
  } catch (error) {
    log.debug({ operationId: held.operationId, code: toFailure(error).code }, 'renewal failed')
    return 'unknown'
  }
}

async function isCancelRequested({ operations }: LeaseDeps, held: HeldLock): Promise<boolean> {
  try {
    return (await operations.get(held.operationId)).cancelRequested
  } catch {
    // the next renewal asks again
    return false
  }
}

/** The answer, or 'unknown' if it takes longer. A late answer is dropped: the next renewal asks again. */
async function orLate<Answer>(answer: Promise<Answer>, limitMs: number): Promise<Answer | 'unknown'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'unknown'>((resolve) => {
    timer = setTimeout(() => resolve('unknown'), limitMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
