import type { Job, Queue, QueueEvents } from 'bullmq'
import { HoldfastError } from './holdfast-error.ts'
import { pause } from './pause.ts'
import type { CallOptions } from './transport.ts'

/** How to wait for a job. */
export interface JobWaitOptions extends CallOptions {
  /** No limit by default. */
  readonly timeoutMs?: number | undefined
}

/** What a job returned: the result of its operation. */
export type JobResult = Readonly<Record<string, unknown>> | null

type Ending = { readonly result: JobResult } | { readonly failedReason: string }

/** Jobs of one queue that somebody in this process waits for. */
export interface JobEndings {
  /** Resolves with the job's result; rejects with its reason, JOB_NOT_FOUND, TIMEOUT or the signal's reason. */
  waitFor(jobId: string, options: JobWaitOptions): Promise<JobResult>
}

/** Events may be missed, at the beginning or in an outage: the job itself is looked at too, ever more seldom. */
const FIRST_LOOK_MS = 50
const LAST_LOOK_MS = 2_000
/** A job may be removed as it ends, a moment before its event arrives. */
const LOOKS_WITHOUT_JOB = 3

/**
 * One pair of listeners for however many waiters: waiting on the job object itself would add listeners for each, and
 * hang when the job is removed.
 */
export function createJobEndings(queue: Queue, events: QueueEvents): JobEndings {
  const waiters = new Map<string, Set<(ending: Ending) => void>>()
  const listen = (jobId: string, waiter: (ending: Ending) => void): (() => void) => {
    const own = waiters.get(jobId) ?? new Set()
    waiters.set(jobId, own.add(waiter))
    return () => {
      own.delete(waiter)
      if (own.size === 0) waiters.delete(jobId)
    }
  }
  const tell = (jobId: string, ending: Ending): void => {
    for (const waiter of waiters.get(jobId) ?? []) waiter(ending)
  }
  events.on('completed', ({ jobId, returnvalue }) => tell(jobId, { result: toResult(returnvalue) }))
  events.on('failed', ({ jobId, failedReason }) => tell(jobId, { failedReason }))

  return {
    async waitFor(jobId, options) {
      const done = new AbortController()
      let stopListening = (): void => {}
      const told = new Promise<Ending>((resolve) => {
        stopListening = listen(jobId, resolve)
      })
      try {
        // the first look comes after listening has begun, so that nothing falls in between
        const looked = look(queue, jobId, options, done.signal)
        return resultOf(jobId, await Promise.race([told, looked]))
      } finally {
        done.abort()
        stopListening()
      }
    },
  }
}

/** Looks at the job until it has ended, is gone, or time is up. */
async function look(
  queue: Queue,
  jobId: string,
  { timeoutMs = Number.POSITIVE_INFINITY, signal }: JobWaitOptions,
  done: AbortSignal,
): Promise<Ending> {
  const deadline = performance.now() + timeoutMs
  const stop = signal ? AbortSignal.any([signal, done]) : done
  let misses = 0
  for (let waitMs = FIRST_LOOK_MS; !done.aborted; waitMs = Math.min(waitMs * 2, LAST_LOOK_MS)) {
    signal?.throwIfAborted()
    // Redis may be away for a while: waiting goes on
    const job = await queue.getJob(jobId).catch(() => null)
    if (job?.finishedOn !== undefined) return endingOf(job)
    if (job === undefined) misses += 1
    if (misses > LOOKS_WITHOUT_JOB) throw notFound(jobId)
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) throw tooLate(jobId, timeoutMs)
    await pause(Math.min(waitMs, leftMs), stop).catch(() => signal?.throwIfAborted())
  }
  // nobody waits any more
  return { result: null }
}

function endingOf(job: Job): Ending {
  return job.failedReason ? { failedReason: job.failedReason } : { result: toResult(job.returnvalue) }
}

function resultOf(jobId: string, ending: Ending): JobResult {
  if ('result' in ending) return ending.result
  const [, code = 'JOB_FAILED', detail = ending.failedReason] =
    /^([A-Z][A-Z_]+): ([\s\S]*)$/.exec(ending.failedReason) ?? []
  throw new HoldfastError({
    code,
    detail,
    ...(code === 'JOB_FAILED' && { hint: `job ${jobId} in the dashboard may tell more` }),
  })
}

function toResult(value: unknown): JobResult {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? Object.fromEntries(Object.entries(value)) : null
}

function notFound(jobId: string): HoldfastError {
  return new HoldfastError({
    code: 'JOB_NOT_FOUND',
    detail: `job ${jobId} is not in its queue any more`,
    hint: 'finished jobs are removed after a while, and Redis may have lost its data: the operation is in the catalog',
  })
}

function tooLate(jobId: string, timeoutMs: number): HoldfastError {
  return new HoldfastError({
    code: 'TIMEOUT',
    detail: `job ${jobId} has not ended after ${timeoutMs} ms`,
    hint: 'it goes on: wait again',
  })
}
