import type { JobQueue, Logger, NextInLine, OperationType } from '@holdfast/core'
import { OPERATION_TYPES, QUEUE_NAMES } from '@holdfast/core'
import type { JobsOptions } from 'bullmq'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { CarriedJob } from './carried-job.ts'
import { isForeign, judgeJob } from './carried-job.ts'
import { connectRedis } from './connect-redis.ts'
import { KEYS, PREFIX } from './names.ts'
import { describeRedisError } from './redis-error.ts'
import { within } from './within.ts'

/** How long finished jobs stay visible in Bull Board; what became of the work is in the catalog. */
export const KEEP_FINISHED = { count: 1_000, age: 7 * 24 * 3_600 } as const

// retries, their number and their back-off are the catalog's: these only cover a failure to say so to Redis
const JOB_OPTIONS: JobsOptions = {
  attempts: 20,
  backoff: { type: 'fixed', delay: 2_000 },
  removeOnComplete: KEEP_FINISHED,
  removeOnFail: KEEP_FINISHED,
  stackTraceLimit: 0,
}

const PIPELINE_SIZE = 500

/** The queue of core, and what workers and the dashboard need besides. */
export interface BullJobQueue extends JobQueue {
  /** The BullMQ queues, for a dashboard. */
  readonly queues: readonly Queue[]
  /** Those whose job is gone or finished, in the order given. Rejects with QUEUE_UNAVAILABLE. */
  withoutJob(operations: readonly NextInLine[]): Promise<readonly NextInLine[]>
  /** How many jobs wait, are parked, run or failed, by queue. Rejects with QUEUE_UNAVAILABLE. */
  counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>
  close(): Promise<void>
}

/** Where the queue is, and where its outages are logged. */
export interface JobQueueOptions {
  readonly redisUrl: string
  readonly log: Logger
}

/** Opens the queues for adding. Never waits for Redis: that is up to each call, which takes less than 3 s. */
export function createJobQueue({ redisUrl, log }: JobQueueOptions): BullJobQueue {
  const redis = connectRedis(redisUrl, 'producer', log)
  const queues = QUEUE_NAMES.map((name) => openQueue(name, redis, log))
  const byType = new Map(queues.map((queue) => [queue.name, queue]))
  const queueOf = (type: OperationType): Queue => {
    const queue = byType.get(type)
    if (queue === undefined) throw new TypeError(`no queue for ${type}`)
    return queue
  }

  return {
    queues,
    async enqueue(operation) {
      const queue = queueOf(operation.type)
      await within(redis, `enqueueing ${operation.type} ${operation.id}`, async () => {
        const [job] = await readJobs(redis, queue, [operation])
        if (job === 'live') return
        if (job === 'finished') await removeJob(queue, operation.id)
        const data = { v: 1, operationId: operation.id }
        await queue.add(operation.type, data, { ...JOB_OPTIONS, jobId: operation.id })
      })
    },
    async promote(operation) {
      const queue = queueOf(operation.type)
      await within(redis, `promoting ${operation.id}`, async () => {
        for (const jobId of jobIds(operation)) {
          const isParked = await promoteJob(queue, jobId)
          // promoting puts it behind everything that waits, although it was accepted before
          if (isParked && jobId === operation.id) await queue.getBackend().changePriority(jobId, 0, true)
        }
      })
    },
    async requestCancel(operationId) {
      await within(redis, `cancelling ${operationId}`, () => redis.publish(KEYS.cancel, operationId))
    },
    async discard(operation) {
      const queue = queueOf(operation.type)
      await within(redis, `discarding ${operation.id}`, async () => {
        await removeJob(queue, operation.id)
        // another producer's job is woken, so that it ends with the reason for whoever waits for it
        if (isForeign(operation)) await promoteJob(queue, operation.jobId)
      })
    },
    async ping() {
      await within(redis, 'reaching redis', () => redis.ping())
    },
    async withoutJob(operations) {
      return within(redis, 'looking for jobs', async () => {
        const missing: NextInLine[] = []
        for (const type of OPERATION_TYPES) {
          const asked = operations.filter((operation) => operation.type === type)
          const jobs = await readJobs(redis, queueOf(type), asked)
          missing.push(...asked.filter((_, index) => jobs[index] !== 'live'))
        }
        const found = new Set(missing)
        return operations.filter((operation) => found.has(operation))
      })
    },
    async counts() {
      return within(redis, 'counting jobs', async () => {
        const entries = queues.map(async (queue) => [queue.name, await queue.getJobCounts()] as const)
        return Object.fromEntries(await Promise.all(entries))
      })
    },
    async close() {
      await Promise.allSettled(queues.map((queue) => queue.close()))
      redis.disconnect()
    },
  }
}

function openQueue(name: string, redis: Redis, log: Logger): Queue {
  const queue = new Queue(name, {
    connection: redis,
    prefix: PREFIX,
    // without these two a queue that was opened while Redis was away could never be used
    skipWaitingForReady: true,
    skipVersionCheck: true,
  })
  queue.on('error', (error) => log.debug({ queue: name, reason: describeRedisError(error) }, 'queue error'))
  return queue
}

/** What became of the jobs that carry these operations, under either id that they may have. */
async function readJobs(
  redis: Redis,
  queue: Queue,
  operations: readonly NextInLine[],
): Promise<readonly (CarriedJob | null)[]> {
  const states: (CarriedJob | null)[] = []
  for (let from = 0; from < operations.length; from += PIPELINE_SIZE) {
    const chunk = operations.slice(from, from + PIPELINE_SIZE)
    const pipeline = redis.pipeline()
    for (const operation of chunk) {
      for (const jobId of jobIds(operation)) {
        pipeline.hmget(queue.toKey(jobId), 'timestamp', 'finishedOn', 'data')
      }
    }
    const answers = (await pipeline.exec()) ?? []
    let next = 0
    for (const operation of chunk) {
      const jobs = jobIds(operation).map((jobId) => judgeJob(operation.id, jobId, answers[next++]))
      states.push(jobs.includes('live') ? 'live' : (jobs[0] ?? null))
    }
  }
  return states
}

/** The operation's own id first. */
function jobIds(operation: NextInLine): readonly string[] {
  return isForeign(operation) ? [operation.id, operation.jobId] : [operation.id]
}

async function promoteJob(queue: Queue, jobId: string): Promise<boolean> {
  try {
    await queue.getBackend().promote(jobId)
    return true
  } catch (error) {
    // it waits or runs already, or somebody was faster
    if (describeRedisError(error).includes('not in the delayed state')) return false
    throw error
  }
}

async function removeJob(queue: Queue, jobId: string): Promise<void> {
  // 0 if a worker holds it: then it is not ours to remove
  await queue.remove(jobId)
}
