import { inspect } from 'node:util'
import type { PrivateRedis } from '@holdfast/queue/private-redis'
import { startPrivateRedis } from '@holdfast/queue/private-redis'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import type { Job } from 'bullmq'
import { Queue, UnrecoverableError, Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { QueueProducer } from './queue-producer.ts'
import { createQueueProducer, QUEUE_PREFIX } from './queue-producer.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

let directory: TemporaryDirectory
let redis: PrivateRedis
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  directory = await makeTemporaryDirectory()
  redis = await startPrivateRedis({ dir: directory.path })
})
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})
afterAll(async () => {
  await redis.stop()
  await directory.remove()
})

describe('the queue producer', () => {
  it('adds jobs as any worker expects them', async () => {
    const producer = make()
    const asked = await producer.requestVerify({ backup: 'before-42', level: 'checksum' })
    expect(asked).toEqual({ queue: 'verify', jobId: expect.stringMatching(UUID_V7), coalesced: false })
    const job = await queueNamed('verify').getJob(asked.jobId)
    expect(job).toMatchObject({
      name: 'verify',
      data: { v: 1, requestedBy: 'tests', backup: 'before-42', level: 'checksum' },
    })
    await job?.remove()
  })

  it('refuses a payload before anything is sent', async () => {
    const producer = make()
    await expect(producer.requestBackup({ target: 'No Name' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
    await expect(producer.requestBackup({ target: 'shop' }, { jobId: '42' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
    expect(await queueNamed('backup').getJobCountByTypes('waiting')).toBe(0)
  })

  it('tells which job is under way already', async () => {
    const producer = make()
    const first = await producer.requestBackup({ target: 'shop' }, { deduplicationId: 'nightly' })
    const second = await producer.requestBackup({ target: 'shop' }, { deduplicationId: 'nightly' })
    expect(second).toEqual({ queue: 'backup', jobId: first.jobId, coalesced: true })
    await (await queueNamed('backup').getJob(first.jobId))?.remove()
  })

  it('waits for the result of a job, also one that ended before', async () => {
    const producer = make()
    work('backup', async (job) => ({ saw: job.data.target }))
    const asked = await producer.requestBackup({ target: 'shop' })
    expect(await producer.waitFor(asked)).toEqual({ saw: 'shop' })
    expect(await producer.waitFor(asked.jobId)).toEqual({ saw: 'shop' })
  })

  it('rejects with the reason for which a job failed', async () => {
    const producer = make()
    work('restore', async () => {
      throw new UnrecoverableError('DESTINATION_EXISTS: copy holds data (ask for it)')
    })
    const asked = await producer.requestRestore({ backup: 'x', into: { target: 'copy' } })
    await expect(producer.waitFor(asked)).rejects.toMatchObject({
      code: 'DESTINATION_EXISTS',
      detail: 'copy holds data (ask for it)',
    })
  })

  it('waits through parking and retries, and for many jobs at once', async () => {
    const producer = make()
    const failedOnce = new Set<string>()
    work('verify', async (job) => {
      const id = job.id ?? ''
      if (!failedOnce.has(id)) {
        failedOnce.add(id)
        throw new Error('not now')
      }
      return { backup: job.data.backup }
    })
    const asked = await Promise.all(
      Array.from({ length: 40 }, (_, index) => producer.requestVerify({ backup: `b${index}` })),
    )
    const results = await Promise.all(asked.map((job) => producer.waitFor(job)))
    expect(results).toEqual(asked.map((_, index) => ({ backup: `b${index}` })))
  })

  it('does not wait for a job that is not there, nor longer than asked', async () => {
    const producer = make()
    await expect(producer.waitFor('nobody-knows')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    const asked = await producer.requestRetention()
    await expect(producer.waitFor(asked, { timeoutMs: 120 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    const reason = new Error('enough')
    await expect(producer.waitFor(asked, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const waiting = producer.waitFor(asked)
    await (await queueNamed('retention').getJob(asked.jobId))?.remove()
    await expect(waiting).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
  })

  it('gets the result of a job that is removed as it completes', async () => {
    const producer = make()
    const asked = await producer.requestRetention()
    const waiting = producer.waitFor(asked)
    await producer.waitFor(asked, { timeoutMs: 200 }).catch(() => undefined)
    work('retention', async () => ({ removed: [] }), { removeOnComplete: { count: 0 } })
    expect(await waiting).toEqual({ removed: [] })
  })

  it('fails at once without Redis, adds nothing later, and works when it is back', async () => {
    const producer = make()
    await producer.requestBackup({ target: 'before' })
    const { port } = redis
    await redis.stop()
    const startedAt = performance.now()
    const refused = await producer.requestBackup({ target: 'lost' }).catch((error: unknown) => error)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(refused).toMatchObject({ code: 'QUEUE_UNAVAILABLE' })
    const late = make()
    await expect(late.requestBackup({ target: 'lost' })).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' })
    redis = await startPrivateRedis({ dir: directory.path, port })
    await late.requestBackup({ target: 'after' })
    const jobs = await queueNamed('backup').getJobs('waiting')
    expect(jobs.map((job) => job.data.target).sort()).toEqual(['after', 'before'])
    for (const job of jobs) await job.remove()
  })

  it('ends in bounded time while Redis is away', async () => {
    const producer = createQueueProducer({ redisUrl: 'redis://:a-password@127.0.0.1:1' })
    const asked = await producer.requestBackup({ target: 'shop' }).catch((error: unknown) => error)
    expect(inspect(asked, { depth: 9 })).not.toContain('a-password')
    expect(inspect(producer, { depth: 9, showHidden: true })).not.toContain('a-password')
    const startedAt = performance.now()
    await producer.close()
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('refuses an address that is no Redis URL, without repeating it', async () => {
    const producer = make({ redisUrl: 'https://user:a-password@example.org' })
    const refused = await producer.requestBackup({ target: 'shop' }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'INVALID_CONFIGURATION' })
    expect(inspect(refused)).not.toContain('a-password')
  })
})

function make(options: Parameters<typeof createQueueProducer>[0] = { redisUrl: redis.url }): QueueProducer {
  const producer = createQueueProducer({ requestedBy: 'tests', ...options })
  open.push(producer)
  return producer
}

function queueNamed(name: string): Queue {
  const queue = new Queue(name, { connection: { url: redis.url }, prefix: QUEUE_PREFIX })
  open.push(queue)
  return queue
}

function work(
  name: string,
  process: (job: Job) => Promise<unknown>,
  options: { readonly removeOnComplete?: { readonly count: number } } = {},
): void {
  const connection = { url: redis.url, maxRetriesPerRequest: null }
  open.push(new Worker(name, process, { connection, prefix: QUEUE_PREFIX, concurrency: 20, ...options }))
}
