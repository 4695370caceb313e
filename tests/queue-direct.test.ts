import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Queue } from 'bullmq'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { QueueFleet } from './support/queue-fleet.ts'
import { startFleet, until } from './support/queue-fleet.ts'

// Jobs of other producers: plain BullMQ, plain JSON, nothing of ours.

let fleet: QueueFleet
const queues = new Map<string, Queue>()

beforeAll(async () => {
  fleet = await startFleet({ workers: 2, concurrency: 8, leaseMs: 20_000 })
  await fleet.register(Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`t${n}`, `db:${n}`])))
  const { hostname: host, port, password } = new URL(fleet.redis.url)
  for (const name of ['backup', 'restore', 'verify', 'retention', 'maintenance']) {
    const connection = { host, port: Number(port), password }
    queues.set(name, new Queue(name, { connection, prefix: '{holdfast}' }))
  }
})

afterAll(async () => {
  await Promise.all([...queues.values()].map((queue) => queue.close()))
  await fleet.stop()
})

describe('a job of another producer', { timeout: 90_000 }, () => {
  it('is carried out, gives the result to whoever waits for it, and is an operation like any other', async () => {
    const { value } = await ended('backup', { v: 1, target: 't0', requestedBy: 'nightly' })
    assert.equal(typeof value?.fence, 'number')
    const { items } = await fleet.catalog.operations.list({ target: 't0' }, { limit: 5, cursor: null })
    assert.equal(items.length, 1)
    assert.equal(items[0]?.requestedBy, 'queue:nightly')
    assert.equal(items[0]?.state, 'completed')
  })

  it('may have an integer id, an id of its own, or a UUID, which becomes the id of the operation', async () => {
    const counted = await ended('backup', { v: 1, target: 't1' })
    assert.match(counted.id, /^\d+$/)
    const named = await ended('backup', { v: 1, target: 't1' }, 'nightly_t1')
    assert.equal(named.id, 'nightly_t1')
    const id = randomUUID()
    await ended('backup', { v: 1, target: 't1' }, id)
    assert.equal((await fleet.catalog.operations.get(id)).state, 'completed')
    const { total } = await fleet.catalog.operations.list({ target: 't1' }, { limit: 1, cursor: null })
    assert.equal(total, 3)
  })

  it('that equals work under way ends with its result', async () => {
    const payload = { v: 1, target: 't2', note: JSON.stringify({ ms: 400 }) }
    const jobs = await Promise.all(Array.from({ length: 5 }, () => ended('backup', payload)))
    assert.equal(new Set(jobs.map(({ value }) => value?.fence)).size, 1)
    const { total } = await fleet.catalog.operations.list({ target: 't2' }, { limit: 1, cursor: null })
    assert.equal(total, 1)
  })

  it('is recorded once per idempotency key', async () => {
    const payload = { v: 1, target: 't3', kind: 'pre-migration', idempotencyKey: 'release-7' }
    const first = await ended('backup', payload)
    const again = await ended('backup', payload)
    assert.deepEqual(again.value, first.value)
    const conflict = await ended('backup', { ...payload, note: '{"ms":1}' })
    assert.match(conflict.reason ?? '', /^IDEMPOTENCY_CONFLICT: /)
  })

  it('survives a flush once a worker has seen it, even under a counted id', async () => {
    const queue = queueOf('backup')
    const long = await queue.add('backup', { v: 1, target: 't4', note: JSON.stringify({ ms: 800 }) })
    const behind = await queue.add('backup', { v: 1, target: 't4', note: JSON.stringify({ ms: 20 }) })
    await until('both are recorded', 5_000, async () => (await total('t4')) === 2)
    await fleet.redis.flush()
    const { items } = await fleet.catalog.operations.list({ target: 't4' }, { limit: 2, cursor: null })
    assert.deepEqual(items.map(({ jobId }) => jobId).toSorted(), [long.id, behind.id].toSorted())
    const operations = await fleet.finished(
      items.map(({ id }) => id),
      20_000,
    )
    assert.ok(operations.every(({ state }) => state === 'completed'))
    assert.equal(operations.filter(({ attempts }) => attempts === 1).length, 2)
  })

  it('fails with the code and the reason of its operation', async () => {
    const { reason } = await ended('backup', { v: 1, target: 't5', note: '{"ms":1,"throws":"bug"}' })
    assert.equal(
      reason,
      'INTERNAL: internal error (the log of the process that did the work has the details)',
    )
  })
})

describe('a job that cannot be accepted', () => {
  const operationId = randomUUID()
  it.each([
    ['no object', 'backup', 'hello', /^INVALID_REQUEST: .*must be a JSON object/],
    ['an array', 'backup', [1], /^INVALID_REQUEST: .*must be a JSON object/],
    ['no version', 'backup', { target: 't0' }, /^INVALID_REQUEST: .*version 'v' must be 1/],
    ['a future version', 'backup', { v: 2, target: 't0' }, /^INVALID_REQUEST: .*version 'v' must be 1/],
    ['no target', 'backup', { v: 1 }, /^INVALID_REQUEST: /],
    ['an unknown field', 'backup', { v: 1, target: 't0', urgent: true }, /^INVALID_REQUEST: /],
    [
      'a URL with a password',
      'restore',
      { v: 1, backup: 'x', into: { url: 'sqlite://u:p@h' } },
      /^INVALID_REQUEST: /,
    ],
    ['an unknown target', 'backup', { v: 1, target: 'nobody' }, /^TARGET_NOT_FOUND: /],
    ['an unknown backup', 'verify', { v: 1, backup: 'nothing' }, /^BACKUP_NOT_FOUND: /],
    ['an operation of another catalog', 'backup', { v: 1, operationId }, /^OPERATION_NOT_FOUND: /],
    ['a bad operation id', 'backup', { v: 1, operationId: '7' }, /^INVALID_REQUEST: /],
    ['an unknown tick', 'maintenance', { v: 1 }, /^INVALID_REQUEST: a maintenance job must be called/],
  ])('because of %s fails at once with a reason', async (_what, queue, data, expected) => {
    const { reason, attempts } = await ended(queue, data)
    assert.match(reason ?? '', expected)
    assert.equal(attempts, 1)
    assert.doesNotMatch(reason ?? '', /u:p@h/)
  })

  it('because its operation is of another type fails at once', async () => {
    const { operation } = await fleet.request('t6', { ms: 1 })
    const { reason } = await ended('verify', { v: 1, operationId: operation.id })
    assert.match(reason ?? '', /^INVALID_REQUEST: .*is not a verify/)
  })

  it('because its data is no JSON at all fails at once and stops nobody', async () => {
    const queue = queueOf('backup')
    const job = await queue.add('backup', { v: 1, target: 't7' }, { delay: 60_000 })
    assert.ok(job.id)
    await fleet.redis.client.hset(queue.toKey(job.id), 'data', '{"v": 1, "target"')
    await job.promote()
    await until('it fails', 5_000, () => job.isFailed())
    const failedReason = await fleet.redis.client.hget(queue.toKey(job.id), 'failedReason')
    assert.match(failedReason ?? '', /^INVALID_REQUEST: /)
    await ended('backup', { v: 1, target: 't7' })
  })
})

describe('a thousand random jobs', { timeout: 180_000 }, () => {
  it('are carried out or refused with a reason, and never end otherwise', async () => {
    const payloads = fc.sample(anyPayload(), { numRuns: 1_000, seed: 20_251_101 })
    const queue = queueOf('backup')
    const jobs = await queue.addBulk(
      payloads.map(({ data, jobId }) => ({ name: 'backup', data, opts: jobId === null ? {} : { jobId } })),
    )
    await until('all are over', 150_000, async () => {
      const { waiting, active, delayed } = await queue.getJobCounts('waiting', 'active', 'delayed')
      return waiting === 0 && active === 0 && delayed === 0
    })
    let done = 0
    for (const [index, { id = '' }] of jobs.entries()) {
      const [returned, reason] = await fleet.redis.client.hmget(
        queue.toKey(id),
        'returnvalue',
        'failedReason',
      )
      if (typeof returned === 'string') done += 1
      else
        assert.match(
          String(reason),
          /^(INVALID_REQUEST|TARGET_NOT_FOUND|BACKUP_EXISTS|IDEMPOTENCY_CONFLICT): /,
        )
      if (payloads[index]?.isValid === true) assert.equal(typeof returned, 'string', `${id}: ${reason}`)
    }
    assert.ok(done >= 200, `only ${done} were carried out`)
    assert.ok(fleet.workers.every(({ child }) => child.exitCode === null))
    const output = fleet.workers.map((worker) => worker.output()).join('')
    assert.deepEqual(output.match(/^job met a bug.*$/gm), null)
  })
})

interface AnyPayload {
  readonly data: unknown
  readonly jobId: string | null
  readonly isValid: boolean
}

/** Half of them valid; the others valid ones with something spoiled, or anything at all. */
function anyPayload(): fc.Arbitrary<AnyPayload> {
  const jobId = fc.oneof(fc.constant(null), fc.uuid())
  const valid = fc.record(
    {
      v: fc.constant(1),
      target: fc.integer({ min: 8, max: 19 }).map((n) => `t${n}`),
      note: fc.integer({ min: 0, max: 30 }).map((ms) => JSON.stringify({ ms })),
      labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ maxLength: 20 }), { maxKeys: 3 }),
      mode: fc.constantFrom('full', 'snapshot'),
      kind: fc.constantFrom('manual', 'scheduled', 'pre-migration', 'pre-restore'),
      requestedBy: fc.string({ maxLength: 40 }),
    },
    { requiredKeys: ['v', 'target', 'note'] },
  )
  const spoiled = fc
    .tuple(
      valid,
      fc.constantFrom('v', 'target', 'labels', 'mode', 'operationId', 'include', 'retain'),
      fc.jsonValue(),
    )
    .map(([data, field, value]) => ({ ...data, [field]: value }))
  return fc.oneof(
    { weight: 5, arbitrary: fc.record({ data: valid, jobId, isValid: fc.constant(true) }) },
    { weight: 4, arbitrary: fc.record({ data: spoiled, jobId, isValid: fc.constant(false) }) },
    { weight: 1, arbitrary: fc.record({ data: fc.jsonValue(), jobId, isValid: fc.constant(false) }) },
  )
}

async function ended(queueName: string, data: unknown, jobId?: string) {
  const queue = queueOf(queueName)
  const job = await queue.add(queueName, data, jobId === undefined ? {} : { jobId })
  const id = job.id ?? ''
  await until(`job ${id} of ${queueName} is over`, 20_000, async () => {
    const state = await queue.getJobState(id)
    return state === 'completed' || state === 'failed'
  })
  const over = await queue.getJob(id)
  const value: Readonly<Record<string, unknown>> | null = over?.returnvalue ?? null
  return { id, value, reason: over?.failedReason, attempts: over?.attemptsMade }
}

async function total(target: string): Promise<number> {
  return (await fleet.catalog.operations.list({ target }, { limit: 1, cursor: null })).total
}

function queueOf(name: string): Queue {
  const queue = queues.get(name)
  assert.ok(queue)
  return queue
}
