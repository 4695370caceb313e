import type { AcceptDeps, Operation, OperationType, Progress } from '@holdfast/core'
import { AppError, isFinished, toFailure } from '@holdfast/core'
import type { Job } from 'bullmq'
import { DelayedError, WaitingError } from 'bullmq'
import type { Redis } from 'ioredis'
import { adoptJob, isCarriedBy } from './adopt-job.ts'
import { carryOut } from './carry-out.ts'
import { keepJobLock } from './job-lock.ts'
import type { CarryOutDeps, Outcome } from './outcome.ts'
import { announce, ended, waitFor } from './outcome.ts'
import { describeRedisError, queueUnavailable } from './redis-error.ts'
import { refusal } from './refusal.ts'

/** What turning jobs into operations needs besides. */
export interface ProcessDeps extends CarryOutDeps {
  readonly accept: AcceptDeps
  /** The connection of the BullMQ workers. */
  readonly redis: Redis
}

const RETRY_MS = 1_000
/** A job that follows another one looks so often, seldom once it has waited for long. */
const FOLLOW_MS = 500
const FOLLOW_SELDOM_MS = 5_000
const FOLLOW_OFTEN = 20

/**
 * The processor of one queue. A job ends as its operation ended: with its result, or failed with `CODE: reason`.
 * Retries and take-overs are counted by the catalog, so a job is either parked or over.
 */
export function jobProcessor(deps: ProcessDeps, type: OperationType) {
  return async (job: Job, token = ''): Promise<unknown> => {
    const lock = keepJobLock(job, token, deps.leaseMs, deps.redis)
    try {
      const outcome = await outcomeOf(deps, type, job)
      return await conclude(deps, job, token, outcome)
    } finally {
      lock.stop()
    }
  }
}

async function outcomeOf(deps: ProcessDeps, type: OperationType, job: Job): Promise<Outcome> {
  const id = job.id ?? ''
  try {
    const operation = await adoptJob(deps.accept, type, {
      id,
      data: job.data,
      updateData: (data) => note(job, data),
    })
    if (operation.state === 'queued') announce(deps, operation.id)
    if (!isCarriedBy(operation, { id })) return follow(operation, job.attemptsStarted)
    return await carryOut(deps, operation, (phase, progress) => show(deps, job, phase, progress))
  } catch (error) {
    if (error instanceof AppError && error.retryable) {
      deps.log.debug({ jobId: id, code: error.code }, 'job parked until it can be judged')
      return waitFor(RETRY_MS)
    }
    if (error instanceof AppError) deps.log.info({ jobId: id, queue: type, code: error.code }, 'job refused')
    else deps.log.error({ err: error, jobId: id, queue: type }, 'job met a bug')
    return ended({ state: 'failed', result: null, error: toFailure(error) })
  }
}

async function note(job: Job, data: object): Promise<void> {
  try {
    await job.updateData(data)
  } catch (error) {
    // Redis has lost the job meanwhile; its producer asks again, or not
    throw queueUnavailable('noting the operation in its job', error)
  }
}

/** The work is another job's; this one ends as that one does. */
function follow(operation: Operation, timesLooked: number): Outcome {
  if (isFinished(operation)) return ended(operation)
  return waitFor(timesLooked < FOLLOW_OFTEN ? FOLLOW_MS : FOLLOW_SELDOM_MS)
}

async function conclude(deps: ProcessDeps, job: Job, token: string, outcome: Outcome): Promise<unknown> {
  if (outcome.kind === 'ended') {
    const { state, result, error } = outcome.ending
    if (state === 'completed') return result
    throw refusal(error ?? { code: 'INTERNAL', detail: `the operation is ${state}`, hint: null })
  }
  // whatever goes wrong here, the job is not this worker's any more: it never fails for that
  if (outcome.kind === 'handed-back') {
    await ifStillOurs(deps, job, () => job.moveToWait(token))
    throw new WaitingError()
  }
  await ifStillOurs(deps, job, () => job.moveToDelayed(Date.now() + outcome.retryInMs, token))
  if (outcome.lockKey !== null) await wakeIfNext(deps, job, outcome.lockKey)
  throw new DelayedError()
}

/** The database may have become free between being told to wait and being parked. */
async function wakeIfNext(deps: ProcessDeps, job: Job, lockKey: string): Promise<void> {
  try {
    const next = await deps.operations.nextInLine(lockKey)
    if (next !== null && isCarriedBy(next, { id: job.id ?? '' })) await deps.queue.promote(next)
  } catch (error) {
    deps.log.debug({ jobId: job.id, code: toFailure(error).code }, 'promotion left to reconciling')
  }
}

async function ifStillOurs(deps: ProcessDeps, job: Job, move: () => Promise<unknown>): Promise<void> {
  try {
    await move()
  } catch (error) {
    // Redis lost the job or gave it to another worker
    deps.log.debug({ jobId: job.id, reason: describeRedisError(error) }, 'job is not ours any more')
  }
}

/** Shown in the dashboard. Dropped while Redis is away. */
function show(deps: ProcessDeps, job: Job, phase: string, progress: Progress): void {
  if (deps.redis.status !== 'ready') return
  job.updateProgress({ phase, ...progress }).catch(() => undefined)
}
