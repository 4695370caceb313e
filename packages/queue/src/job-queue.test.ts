import assert from 'node:assert/strict'
import type { NextInLine } from '@holdfast/core'
import { AppError, systemClock, uuidv7 } from '@holdfast/core'
import type { Job, Queue } from 'bullmq'
import { UnrecoverableError, Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import type { BullJobQueue } from './job-queue.ts'
import { createJobQueue } from './job-queue.ts'
import type { TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'

let server: TestRedis
let queue: BullJobQueue

beforeAll(async () => {
  server = await startTestRedis()
})

beforeEach(async () => {
  await server.flush()
  queue = createJobQueue({ redisUrl: server.url, log: recordingLog() })
  await queue.ping()
})

afterEach(() => queue.close())
afterAll(() => server.close())

describe('enqueue', () => {
  it('adds a job that carries nothing but the id', async () => {
    const operation = newOperation()
    await queue.enqueue(operation)
    const job = await backups().getJob(operation.id)
    assert.deepEqual(job?.data, { v: 1, operationId: operation.id })
    assert.equal(job?.name, 'backup')
  })

  it('adds it once, however often and from however many places it is called', async () => {
    const operation = newOperation()
    await Promise.all(Array.from({ length: 20 }, () => queue.enqueue(operation)))
    assert.equal(await backups().getWaitingCount(), 1)
  })

  it.each(['completed', 'failed'])('adds it again after a job that %s', async (state) => {
    const operation = newOperation()
    await queue.enqueue(operation)
    const reason = state === 'failed' ? new UnrecoverableError('stalled') : null
    await finishOne(reason)
    assert.deepEqual(await queue.withoutJob([operation]), [operation])
    await Promise.all([queue.enqueue(operation), queue.enqueue(operation)])
    assert.equal(await backups().getWaitingCount(), 1)
    const job = await backups().getJob(operation.id)
    assert.equal(job?.attemptsMade, 0)
    assert.deepEqual(await queue.withoutJob([operation]), [])
  })

  it('leaves the job of another producer alone as long as it carries the operation', async () => {
    const id = uuidv7(systemClock.now())
    const foreign = await backups().add('backup', { v: 1, target: 't', operationId: id })
    const operation: NextInLine = { id, type: 'backup', jobId: foreign.id ?? '' }
    await queue.enqueue(operation)
    assert.equal(await backups().getWaitingCount(), 1)
    await foreign.remove()
    // the counter of ids may be given anew
    await backups().add('backup', { v: 1, target: 'other' }, { jobId: 'x' })
    assert.deepEqual(await queue.withoutJob([operation]), [operation])
    await queue.enqueue(operation)
    assert.deepEqual((await backups().getJob(id))?.data, { v: 1, operationId: id })
  })
})

describe('promote', () => {
  it('puts a parked job before everything that waits', async () => {
    const [first, second, third] = [newOperation(), newOperation(), newOperation()]
    await queue.enqueue(first)
    const seen: string[] = []
    const worker = new Worker(
      'backup',
      async (job: Job, token) => {
        if (job.id === first.id && !seen.includes(first.id)) {
          seen.push(first.id)
          await job.moveToDelayed(Date.now() + 60_000, token)
          await Promise.all([queue.enqueue(second), queue.enqueue(third)])
          await queue.promote(first)
          await queue.promote(second)
          const { DelayedError } = await import('bullmq')
          throw new DelayedError()
        }
        seen.push(job.id ?? '')
      },
      { connection: connection(), prefix: '{holdfast}' },
    )
    await until('all were seen', 5_000, () => seen.length === 4)
    await worker.close()
    assert.deepEqual(seen, [first.id, first.id, second.id, third.id])
  })

  it('does nothing for a job that is gone, waits or is over', async () => {
    const operation = newOperation()
    await queue.promote(operation)
    await queue.enqueue(operation)
    await queue.promote(operation)
    await finishOne(null)
    await queue.promote(operation)
    assert.equal(await backups().getWaitingCount(), 0)
  })
})

describe('discard', () => {
  it('removes the job of a cancelled operation', async () => {
    const operation = newOperation()
    await queue.enqueue(operation)
    await queue.discard(operation)
    await queue.discard(operation)
    assert.equal(await backups().getJob(operation.id), undefined)
  })

  it('wakes the job of another producer, to end with the reason', async () => {
    const id = uuidv7(systemClock.now())
    const foreign = await backups().add('backup', { v: 1, target: 't', operationId: id }, { delay: 60_000 })
    await queue.discard({ id, type: 'backup', jobId: foreign.id ?? '' })
    assert.equal(await foreign.getState(), 'waiting')
  })
})

describe('withoutJob', () => {
  it('finds what is missing among thousands, in their order and quickly', async () => {
    const operations = Array.from({ length: 2_000 }, () => newOperation())
    const there = operations.filter((_, index) => index % 3 !== 0)
    await backups().addBulk(
      there.map(({ id }) => ({ name: 'backup', data: { v: 1, operationId: id }, opts: { jobId: id } })),
    )
    const askedAt = performance.now()
    const missing = await queue.withoutJob(operations)
    assert.ok(performance.now() - askedAt < 1_000)
    assert.deepEqual(
      missing,
      operations.filter((_, index) => index % 3 === 0),
    )
  })
})

describe('a queue whose Redis is away', () => {
  const calls: readonly (readonly [string, (to: BullJobQueue) => Promise<unknown>])[] = [
    ['enqueue', (to) => to.enqueue(newOperation())],
    ['promote', (to) => to.promote(newOperation())],
    ['requestCancel', (to) => to.requestCancel('x')],
    ['discard', (to) => to.discard(newOperation())],
    ['ping', (to) => to.ping()],
    ['counts', (to) => to.counts()],
  ]

  it('refuses every call within three seconds, and works when it is back', async () => {
    await server.down()
    await assertRefusals(queue, calls)
    const opened = createJobQueue({ redisUrl: server.url, log: recordingLog() })
    await assertRefusals(opened, calls)
    await server.up()
    for (const each of [queue, opened]) {
      await until('it answers', 5_000, () =>
        each.ping().then(
          () => true,
          () => false,
        ),
      )
      const operation = newOperation()
      await each.enqueue(operation)
      assert.ok(await backups().getJob(operation.id))
    }
    await opened.close()
  })

  it('refuses within three seconds when Redis accepts and never answers', async () => {
    server.freeze()
    try {
      await assertRefusals(queue, calls)
    } finally {
      server.thaw()
    }
    await until('it answers', 8_000, () =>
      queue.ping().then(
        () => true,
        () => false,
      ),
    )
  })

  it('closes at once', async () => {
    await server.down()
    const opened = createJobQueue({ redisUrl: server.url, log: recordingLog() })
    const closedAt = performance.now()
    await opened.close()
    assert.ok(performance.now() - closedAt < 500)
    await server.up()
  })
})

async function assertRefusals(
  to: BullJobQueue,
  calls: readonly (readonly [string, (to: BullJobQueue) => Promise<unknown>])[],
): Promise<void> {
  const askedAt = performance.now()
  const answers = await Promise.allSettled(calls.map(([, call]) => call(to)))
  assert.ok(performance.now() - askedAt < 3_000)
  for (const [index, answer] of answers.entries()) {
    const name = calls[index]?.[0]
    assert.ok(answer.status === 'rejected', `${name} was not refused`)
    const { reason } = answer
    assert.ok(reason instanceof AppError && reason.code === 'QUEUE_UNAVAILABLE', `${name}: ${reason}`)
  }
}

async function finishOne(error: Error | null): Promise<void> {
  const worker = new Worker('backup', null, { connection: connection(), prefix: '{holdfast}' })
  const job = await worker.getNextJob('token')
  assert.ok(job)
  if (error === null) await job.moveToCompleted(null, 'token', false)
  else await job.moveToFailed(error, 'token', false)
  await worker.close()
}

function connection() {
  const { hostname, port, password } = new URL(server.url)
  return { host: hostname, port: Number(port), password }
}

function backups(): Queue {
  const [found] = queue.queues.filter(({ name }) => name === 'backup')
  assert.ok(found)
  return found
}

function newOperation(): NextInLine {
  const id = uuidv7(systemClock.now())
  return { id, type: 'backup', jobId: id }
}
