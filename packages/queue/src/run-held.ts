import type {
  Acquisition,
  Failure,
  Operation,
  OperationContext,
  OperationEnd,
  OperationHandler,
  OperationPause,
} from '@holdfast/core'
import { AppError, hasCode, isFinished, toFailure } from '@holdfast/core'
import { keepLease } from './keep-lease.ts'
import type { CarryOutDeps, Outcome, ProgressListener } from './outcome.ts'
import { announce, ended, PAUSED_MS, promoteNext, waitFor, wakeGroup } from './outcome.ts'
import { persist } from './persist.ts'
import type { ProgressReporter } from './report-progress.ts'
import { createReporter } from './report-progress.ts'
import { StopSwitch } from './running-operations.ts'

/** A failure that may heal is tried so often before it counts. */
const MOST_ATTEMPTS = 3
const FIRST_RETRY_MS = 2_000
/** Finishing or reversing what was begun may take so long. */
const SETTLE_MS = 10 * 60_000
/** Before the same operation is looked at again after its lease was lost. */
const LOST_RETRY_MS = 1_000

type Granted = Extract<Acquisition, { readonly granted: true }>

interface Run {
  readonly deps: CarryOutDeps
  readonly acquired: Granted
  readonly handler: OperationHandler
  readonly work: StopSwitch
  readonly settling: StopSwitch
  readonly reporter: ProgressReporter
}

/** Does the work of an operation that holds its database, and records how it ended. */
export async function runHeld(
  deps: CarryOutDeps,
  acquired: Granted,
  onProgress: ProgressListener,
): Promise<Outcome> {
  const { held, operation } = acquired
  const work = deps.running.add(operation.id)
  const settling = new StopSwitch()
  const fenceLost = (): void => {
    work.stop('fence-lost')
    settling.stop('fence-lost')
  }
  const lease = keepLease(deps, held, {
    lost: fenceLost,
    cancelRequested: () => work.stop('cancelled'),
  })
  work.abandoned.addEventListener('abort', () => lease.stop())
  const reporter = createReporter(deps, held, { written: onProgress, fenceLost })
  const run: Run = { deps, acquired, handler: deps.handlers[operation.type], work, settling, reporter }
  announce(deps, operation.id)
  try {
    return await attempt(run)
  } catch (error) {
    return await afterTrouble(run, error)
  } finally {
    lease.stop()
    await reporter.close()
    deps.running.remove(operation.id, work)
  }
}

async function attempt(run: Run): Promise<Outcome> {
  const { deps, acquired, handler, work } = run
  const { operation, takenOver } = acquired
  if (takenOver && operation.attempts > MOST_ATTEMPTS) {
    return settle(run, toFailure(new AppError('WORKER_LOST', 'workers died while they carried it out')))
  }
  if (operation.cancelRequested) work.stop('cancelled')
  if (deps.running.stopping) work.stop('shutdown')
  let end: OperationEnd | OperationPause
  try {
    work.signal.throwIfAborted()
    end = await handler.run(contextOf(run, work.signal))
  } catch (error) {
    return afterFailure(run, error)
  }
  return record(run, end)
}

async function afterFailure(run: Run, error: unknown): Promise<Outcome> {
  const { work, acquired, deps } = run
  const { operation } = acquired
  if (work.reason === 'fence-lost' || hasCode(error, 'FENCE_LOST')) return lost(run)
  if (work.reason === 'cancelled') return settle(run, toFailure(work.signal.reason))
  const mayRetry = error instanceof AppError && error.retryable && operation.attempts < MOST_ATTEMPTS
  if (work.reason === 'shutdown' || mayRetry) {
    // what was begun on the database must be finished or reversed before others may use it
    const { journal } = await persist(deps, acquired.held, () => deps.operations.get(operation.id))
    if (journal === null) return handBack(run, work.reason === 'shutdown')
    if (work.reason === 'shutdown') return waitFor(deps.leaseMs)
  }
  if (!(error instanceof AppError)) {
    deps.log.error({ err: error, operationId: operation.id, type: operation.type }, 'operation met a bug')
  }
  return settle(run, toFailure(error))
}

/** Gives the database free and the operation back, to be begun again by any worker. */
async function handBack(run: Run, isShutdown: boolean): Promise<Outcome> {
  const { deps, acquired, reporter } = run
  const { held, operation } = acquired
  const delayMs = isShutdown ? 0 : FIRST_RETRY_MS * 2 ** (operation.attempts - 1)
  await reporter.close()
  const next = await persist(deps, held, () =>
    deps.operations.handBack(held, { countAttempt: !isShutdown, notBeforeMs: delayMs }),
  )
  announce(deps, operation.id)
  await promoteNext(deps, next?.id === operation.id ? null : next)
  return isShutdown ? { kind: 'handed-back' } : waitFor(delayMs)
}

/** Finishes or reverses what was begun, under a signal of its own. */
async function settle(run: Run, failure: Failure): Promise<Outcome> {
  const { deps, acquired, handler, settling } = run
  const { operation } = acquired
  const timer = setTimeout(() => settling.stop('cancelled'), SETTLE_MS)
  let end: OperationEnd | OperationPause
  try {
    end = await handler.settle(contextOf(run, settling.signal), failure)
  } catch (error) {
    if (settling.reason === 'fence-lost' || hasCode(error, 'FENCE_LOST')) return lost(run)
    deps.log.error({ err: error, operationId: operation.id, type: operation.type }, 'settling failed')
    const { journal } = await persist(deps, acquired.held, () => deps.operations.get(operation.id))
    // the database stays locked until the lease passes: then whoever takes over tries to settle again
    if (journal !== null) return waitFor(deps.leaseMs)
    end = plainEnd(operation, failure)
  } finally {
    clearTimeout(timer)
  }
  return record(run, end)
}

async function record(run: Run, end: OperationEnd | OperationPause): Promise<Outcome> {
  if (end.state === 'waiting') return pause(run, end)
  const { deps, acquired, reporter } = run
  const { held, operation } = acquired
  await reporter.close()
  const next = await persist(deps, held, () => deps.operations.end(held, end))
  announce(deps, operation.id)
  await promoteNext(deps, next)
  await wakeGroup(deps, operation)
  return ended({ state: end.state, result: end.result, error: end.failure })
}

/** The work goes on elsewhere: nothing is held until there is something to do again. */
async function pause({ deps, acquired, reporter }: Run, where: OperationPause): Promise<Outcome> {
  const { held, operation } = acquired
  await reporter.close()
  await persist(deps, held, () =>
    deps.operations.pause(held, { phase: where.phase, progress: where.progress }),
  )
  announce(deps, operation.id)
  return waitFor(PAUSED_MS)
}

/** Nothing may be written any more. It may be that the end was written, and only the answer was lost. */
async function lost(run: Run): Promise<Outcome> {
  const { deps, acquired } = run
  deps.log.warn(
    { operationId: acquired.operation.id, fence: acquired.held.fence },
    'lease lost, work dropped',
  )
  return waitFor(LOST_RETRY_MS)
}

/** The catalog could not be told. If it knows the end all the same, that is how it ended; else the lease passes. */
async function afterTrouble(run: Run, error: unknown): Promise<Outcome> {
  const { deps, acquired } = run
  const { operation, held } = acquired
  if (!hasCode(error, 'FENCE_LOST') && !hasCode(error, 'CATALOG_UNAVAILABLE')) throw error
  const current = await deps.operations.get(operation.id).catch(() => null)
  if (current === null || !isFinished(current)) return lost(run)
  announce(deps, operation.id)
  await promoteNext(deps, await deps.operations.nextInLine(held.lockKey).catch(() => null))
  return ended(current)
}

function contextOf({ deps, acquired, reporter }: Run, signal: AbortSignal): OperationContext {
  const { operation, held, takenOver } = acquired
  const { queue, events } = deps
  return { operation, held, takenOver, signal, report: reporter.report, queue, events }
}

/** The end of an operation whose handler could not settle it and that had begun nothing on a database. */
function plainEnd(operation: Operation, failure: Failure): OperationEnd {
  return {
    state: failure.code === 'CANCELLED' ? 'cancelled' : 'failed',
    result: null,
    failure,
    backup: operation.type === 'backup' && operation.backupId !== null ? { kind: 'failed', failure } : null,
    replaced: null,
    undone: null,
  }
}
