import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import type { JobsOptions, Queue, QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import type { JobEndings, JobResult, JobWaitOptions } from './await-job.ts'
import { createJobEndings } from './await-job.ts'
import { HoldfastError } from './holdfast-error.ts'
import { pause } from './pause.ts'
import type {
  BackupPayload,
  PayloadOrigin,
  RequestQueue,
  RestorePayload,
  RetentionPayload,
  VerifyPayload,
} from './payloads.ts'
import type { QueueAddress } from './queue-connection.ts'
import { connectProducer, listenerOptions, withinTime } from './queue-connection.ts'
import { validatePayload } from './validate-payload.ts'

/** Prefix of the queues' keys in Redis. */
export const QUEUE_PREFIX = '{holdfast}'

/** Where the queues are, and who asks. */
export type ProducerOptions = QueueAddress & {
  /** Named in the audit trail as who asked, unless a payload says otherwise. */
  readonly requestedBy?: string | undefined
}

/** How a job is added. */
export interface JobOptions {
  /** A UUID becomes the operation's id too. A new UUIDv7 by default. */
  readonly jobId?: string | undefined
  /** While a job with this id has not ended, adding another one returns that job. The service coalesces by itself. */
  readonly deduplicationId?: string | undefined
}

/** A job that is in its queue. */
export interface RequestedJob {
  readonly queue: RequestQueue
  readonly jobId: string
  /** A job with the same deduplication id was there already, and this is its id. */
  readonly coalesced: boolean
}

/**
 * Asks for work through the queues alone. Payloads are validated before anything is sent (INVALID_REQUEST); without
 * Redis a call rejects with QUEUE_UNAVAILABLE within three seconds.
 */
export interface QueueProducer {
  requestBackup(payload: BackupPayload, options?: JobOptions): Promise<RequestedJob>
  requestRestore(payload: RestorePayload, options?: JobOptions): Promise<RequestedJob>
  requestVerify(payload: VerifyPayload, options?: JobOptions): Promise<RequestedJob>
  requestRetention(payload?: RetentionPayload, options?: JobOptions): Promise<RequestedJob>
  /**
   * Resolves with the job's result. Rejects with the reason for which it failed, with JOB_NOT_FOUND, TIMEOUT, or the
   * signal's reason. Outages of Redis are waited out.
   */
  waitFor(job: string | Pick<RequestedJob, 'queue' | 'jobId'>, options?: JobWaitOptions): Promise<JobResult>
  close(): Promise<void>
}

const QUEUES = ['backup', 'restore', 'verify', 'retention'] as const satisfies readonly RequestQueue[]

const CLOSE_MS = 500

// parking, retries and their delays are the worker's: these cover only that it cannot tell Redis how a job ended
const JOB_OPTIONS: JobsOptions = {
  attempts: 20,
  backoff: { type: 'fixed', delay: 2_000 },
  removeOnComplete: { count: 1_000, age: 7 * 24 * 3_600 },
  removeOnFail: { count: 1_000, age: 7 * 24 * 3_600 },
}

/** Makes a producer. It connects at the first call. */
export function createQueueProducer(options: ProducerOptions): QueueProducer {
  const parts = openLazily(options)

  async function add(
    name: RequestQueue,
    payload: PayloadOrigin,
    { jobId = uuidv7(), deduplicationId }: JobOptions = {},
  ): Promise<RequestedJob> {
    const { requestedBy } = options
    const data = { v: 1, ...(requestedBy === undefined ? {} : { requestedBy }), ...payload }
    await validatePayload(name, data)
    const own = deduplicationId === undefined ? {} : { deduplication: { id: deduplicationId } }
    const job = { ...JOB_OPTIONS, ...own, jobId: requireJobId(jobId) }
    const { redis, queue } = await parts.producer(name)
    const added = await withinTime(redis, `adding a job to ${name}`, () => queue.add(name, data, job))
    const id = added.id ?? jobId
    return { queue: name, jobId: id, coalesced: id !== jobId }
  }

  const producer: QueueProducer = {
    requestBackup: (payload, more) => add('backup', payload, more),
    requestRestore: (payload, more) => add('restore', payload, more),
    requestVerify: (payload, more) => add('verify', payload, more),
    requestRetention: (payload = {}, more = {}) => add('retention', payload, more),
    async waitFor(job, more = {}) {
      const { queue, jobId } = typeof job === 'string' ? await parts.find(job) : job
      const endings = await parts.endings(queue)
      return endings.waitFor(jobId, more)
    },
    close: () => parts.close(),
  }
  // the options, which may hold a password, are in no field
  return Object.defineProperty(producer, inspect.custom, { value: () => 'QueueProducer {}' })
}

/** Connections and queues, opened when they are first needed. */
function openLazily(address: QueueAddress) {
  const redis = lazily(() => connectProducer(address))
  const queues = new Map<RequestQueue, Queue>()
  const listening = new Map<RequestQueue, Promise<Listening>>()

  async function producer(name: RequestQueue): Promise<{ readonly redis: Redis; readonly queue: Queue }> {
    const { Queue } = await import('bullmq')
    const connection = await redis.get()
    // without the two skips a queue that was opened while Redis was away could never be used
    const options = { connection, prefix: QUEUE_PREFIX, skipWaitingForReady: true, skipVersionCheck: true }
    const queue = queues.get(name) ?? new Queue(name, options).on('error', () => undefined)
    queues.set(name, queue)
    return { redis: connection, queue }
  }

  return {
    producer,
    async find(jobId: string): Promise<Pick<RequestedJob, 'queue' | 'jobId'>> {
      for (const queue of QUEUES) {
        const opened = await producer(queue)
        const job = await withinTime(opened.redis, `looking for job ${jobId}`, () =>
          opened.queue.getJob(jobId),
        )
        if (job !== undefined) return { queue, jobId }
      }
      throw new HoldfastError({ code: 'JOB_NOT_FOUND', detail: `no queue has a job ${jobId}` })
    },
    async endings(name: RequestQueue): Promise<JobEndings> {
      const begun = listening.get(name) ?? producer(name).then(({ queue }) => listen(address, queue))
      listening.set(name, begun)
      return (await begun).endings
    },
    async close(): Promise<void> {
      const listeners = await Promise.allSettled(listening.values())
      for (const listener of listeners) if (listener.status === 'fulfilled') await listener.value.stop()
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()))
      await redis.use((connection) => connection.disconnect())
    },
  }
}

interface Listening {
  readonly endings: JobEndings
  stop(): Promise<void>
}

async function listen(address: QueueAddress, queue: Queue): Promise<Listening> {
  const { QueueEvents } = await import('bullmq')
  // given a connection it would open a second one for its blocking reads
  const connection = listenerOptions(address)
  const events: QueueEvents = new QueueEvents(queue.name, { connection, prefix: QUEUE_PREFIX })
  events.on('error', () => undefined)
  return {
    endings: createJobEndings(queue, events),
    async stop() {
      // closing never resolves for a connection that is between two attempts, although nothing of it is left then
      const closed = events.close().catch(() => undefined)
      await Promise.race([closed, pause(CLOSE_MS, undefined)])
    },
  }
}

function lazily<Value>(make: () => Promise<Value>) {
  let made: Promise<Value> | null = null
  return {
    get(): Promise<Value> {
      made ??= make()
      return made
    },
    /** Only if it was made. */
    async use(action: (value: Value) => void): Promise<void> {
      const value = await made?.catch(() => undefined)
      if (value !== undefined) action(value)
    },
  }
}

function requireJobId(jobId: string): string {
  if (/^[\x21-\x39\x3b-\x7e]{1,128}$/.test(jobId) && !/^\d+$/.test(jobId)) return jobId
  throw new HoldfastError({
    code: 'INVALID_REQUEST',
    detail: "a job id is 1 to 128 printable ASCII characters without ':', and not a number",
  })
}

/** RFC 9562: 48 bits of Unix time in milliseconds, then random bits, so that ids sort by time. */
function uuidv7(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
