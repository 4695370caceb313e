import { randomUUID } from 'node:crypto'
import type { Acquisition, Operation } from '@holdfast/core'
import { AppError, isFinished, toFailure } from '@holdfast/core'
import type { CarryOutDeps, Outcome, ProgressListener } from './outcome.ts'
import { announce, ended, PAUSED_MS, waitFor } from './outcome.ts'
import { runHeld } from './run-held.ts'

const LOCK_KEY_MS = 5_000

/**
 * Carries out an operation if its database is free and it is the operation's turn. Whatever happens, the catalog
 * knows it before this resolves, unless the lease was lost or the catalog is away: then somebody else takes over.
 */
export async function carryOut(
  deps: CarryOutDeps,
  operation: Operation,
  onProgress: ProgressListener,
): Promise<Outcome> {
  if (isFinished(operation)) return ended(operation)
  if (deps.running.stopping) return { kind: 'handed-back' }
  if (operation.state === 'running') {
    if (await hasLiveLease(deps, operation)) return waitFor(deps.leaseMs / 4)
  } else {
    if (await isPaused(deps, operation)) return waitFor(PAUSED_MS)
    await strengthenLockKey(deps, operation)
  }
  const token = randomUUID()
  const acquired = await deps.operations.acquire({
    operationId: operation.id,
    token,
    leaseMs: deps.leaseMs,
  })
  if (acquired.granted) return runHeld(deps, acquired, onProgress)
  return waitOrEnd(deps, operation, acquired)
}

async function waitOrEnd(
  deps: CarryOutDeps,
  operation: Operation,
  refused: Exclude<Acquisition, { readonly granted: true }>,
): Promise<Outcome> {
  if ('finished' in refused) return ended(refused.finished)
  if (operation.state === 'queued') announce(deps, operation.id)
  // its lock key may have become stronger meanwhile
  const { lockKey } = await deps.operations.get(operation.id)
  return waitFor(refused.retryInMs, lockKey)
}

/**
 * Somebody renews the lease: his work goes on, even if Redis forgot that it gave him the job. Asking for the lock
 * would revoke it.
 */
async function hasLiveLease({ operations }: CarryOutDeps, operation: Operation): Promise<boolean> {
  const unfinished = await operations.listUnfinished()
  return unfinished.some((entry) => entry.operation.id === operation.id && entry.leaseLive)
}

/** Its work goes on elsewhere, and there is nothing to do for it yet: then it is not touched, only looked at. */
async function isPaused({ handlers }: CarryOutDeps, operation: Operation): Promise<boolean> {
  if (operation.state !== 'waiting' || operation.journal === null) return false
  return (await handlers[operation.type].isDue?.(operation)) === false
}

/** Two names for one database exclude each other once both are known to be it. */
async function strengthenLockKey(deps: CarryOutDeps, operation: Operation): Promise<void> {
  const { log } = deps
  try {
    const lockKey = await bounded(deps.lockKeyOf(operation), LOCK_KEY_MS)
    if (lockKey !== operation.lockKey) await deps.operations.setLockKey(operation.id, lockKey)
  } catch (error) {
    // the handler will meet the same problem and say what it is
    log.debug({ operationId: operation.id, code: toFailure(error).code }, 'identity of the database unknown')
  }
}

async function bounded<Value>(promise: Promise<Value>, limitMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AppError('TARGET_UNREACHABLE', `no answer within ${limitMs} ms`)),
      limitMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
