import type { Logger, QueueName } from '@holdfast/core'
import type { Job, JobJson, Processor } from 'bullmq'
import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { KEEP_FINISHED } from './job-queue.ts'
import { PREFIX } from './names.ts'
import { describeRedisError } from './redis-error.ts'

export interface BullWorkerOptions {
  readonly redis: Redis
  readonly workerId: string
  readonly leaseMs: number
  readonly concurrency: number
  readonly log: Logger
}

/** The catalog counts how often workers were lost; a job that fails by stalling would never tell it. */
const NEVER = 1_000_000

/** A worker that survives jobs whose data is not JSON, which other programs may have written past BullMQ. */
class TolerantWorker extends Worker {
  protected override createJob(json: JobJson, jobId: string): Job {
    try {
      return super.createJob(json, jobId)
    } catch {
      return super.createJob({ ...json, data: 'null' }, jobId)
    }
  }
}

/** Takes jobs of one queue. Does not begin before `run` is called. */
export function createBullWorker(
  queue: QueueName,
  processor: Processor,
  { redis, workerId, leaseMs, concurrency, log }: BullWorkerOptions,
): Worker {
  const worker = new TolerantWorker(queue, processor, {
    connection: redis,
    prefix: PREFIX,
    name: workerId,
    autorun: false,
    concurrency,
    lockDuration: leaseMs,
    // ours, see job-lock.ts
    skipLockRenewal: true,
    stalledInterval: Math.max(Math.floor(leaseMs / 2), 500),
    maxStalledCount: NEVER,
    // what was lost with a connection is asked for again soon
    runRetryDelay: 1_000,
    drainDelay: 2,
    removeOnComplete: KEEP_FINISHED,
    removeOnFail: KEEP_FINISHED,
  })
  // outages are logged by the connection; the rest is about jobs that Redis forgot or gave away
  worker.on('error', (error) => log.debug({ queue, reason: describeRedisError(error) }, 'queue worker error'))
  worker.on('stalled', (jobId) => log.warn({ queue, jobId }, 'job stalled, will be taken over'))
  return worker
}
