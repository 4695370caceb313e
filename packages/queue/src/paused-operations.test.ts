import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openCatalog } from '@holdfast/catalog'
import type { AcceptDeps, Catalog, OperationHandler, OperationPause } from '@holdfast/core'
import { AppError, cancelOperation, QUEUE_NAMES, systemClock } from '@holdfast/core'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import type { BullJobQueue } from './job-queue.ts'
import { createJobQueue } from './job-queue.ts'
import type { OperationWorkers } from './start-operation-workers.ts'
import { startOperationWorkers } from './start-operation-workers.ts'
import type { RecordingLog, TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'

const LEASE_MS = 1_500
const NOTHING = { result: null, failure: null, backup: null, replaced: null, undone: null } as const
const PAUSE: OperationPause = { state: 'waiting', phase: 'elsewhere', progress: { bytes: 0, objects: 1 } }

let server: TestRedis
let directory: TemporaryDirectory
let catalog: Catalog
let queue: BullJobQueue
let log: RecordingLog
let workers: OperationWorkers[]

beforeAll(async () => {
  server = await startTestRedis()
})
beforeEach(async () => {
  await server.flush()
  directory = await makeTemporaryDirectory('paused')
  catalog = await openCatalog({ url: `sqlite:${join(directory.path, 'catalog.db')}`, clock: systemClock })
  log = recordingLog()
  queue = createJobQueue({ redisUrl: server.url, log })
  workers = []
})
afterEach(async () => {
  await Promise.all(workers.map((each) => each.close({ graceMs: 0 })))
  await queue.close()
  await catalog.close()
  await directory.remove()
})
afterAll(() => server.close())

/** Work that goes on elsewhere until it is told to be due; a run that is not of the lock `paused` ends at once. */
class Patient implements OperationHandler {
  due = false
  runs = 0
  settled: string[] = []

  async run(context: Parameters<OperationHandler['run']>[0]) {
    const { operation, held } = context
    if (operation.lockKey !== 'paused') return { ...NOTHING, state: 'completed' as const }
    this.runs += 1
    await catalog.operations.setJournal(held, 'begun')
    return this.due ? { ...NOTHING, state: 'completed' as const } : PAUSE
  }

  async settle(_context: unknown, failure: Parameters<OperationHandler['settle']>[1]) {
    this.settled.push(failure.code)
    // it takes two looks until what is elsewhere has ended
    return this.settled.length < 2 ? PAUSE : { ...NOTHING, state: 'cancelled' as const, failure }
  }

  isDue = async ({ cancelRequested }: { readonly cancelRequested: boolean }) => this.due || cancelRequested
}

describe('an operation whose work goes on elsewhere', () => {
  it('holds neither a worker nor its lock, and is run again only when it is due', async () => {
    const handler = new Patient()
    await start(handler)
    const id = await accept('paused')
    await untilState(id, 'waiting')
    for (const lockKey of ['a', 'b', 'c']) await untilState(await accept(lockKey), 'completed')
    const paused = await catalog.operations.get(id)
    assert.deepEqual([paused.phase, paused.progress, paused.attempts], ['elsewhere', PAUSE.progress, 0])
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS))
    assert.equal(handler.runs, 1)
    handler.due = true
    await untilState(id, 'completed')
    assert.equal(handler.runs, 2)
    assert.equal((await catalog.operations.get(id)).attempts, 1)
  })

  it('keeps others from its lock until it has ended', async () => {
    const handler = new Patient()
    await start(handler)
    const first = await accept('paused')
    await untilState(first, 'waiting')
    const second = await accept('paused')
    await untilState(second, 'waiting')
    assert.equal((await catalog.operations.get(second)).journal, null)
    handler.due = true
    await untilState(second, 'completed')
    const [one, other] = [await catalog.operations.get(first), await catalog.operations.get(second)]
    assert.equal(one.state, 'completed')
    assert.ok((other.startedAt ?? '') >= (one.finishedAt ?? ''))
  })

  it('is settled when it is cancelled, and may pause then too', async () => {
    const handler = new Patient()
    await start(handler)
    const id = await accept('paused')
    await untilState(id, 'waiting')
    const events = { publish: async () => undefined }
    await cancelOperation({ catalog, queue, events, log }, id)
    await untilState(id, 'cancelled')
    assert.deepEqual(handler.settled, ['CANCELLED', 'CANCELLED'])
    assert.equal(handler.runs, 1)
  })

  it('goes on although Redis forgot it and its worker has gone', async () => {
    const handler = new Patient()
    const first = await start(handler)
    const id = await accept('paused')
    await untilState(id, 'waiting')
    await first.close({ graceMs: 0 })
    await server.flush()
    handler.due = true
    await start(handler)
    await untilState(id, 'completed')
    assert.equal((await catalog.operations.get(id)).attempts, 1)
  })
})

async function start(handler: OperationHandler): Promise<OperationWorkers> {
  const started = await startOperationWorkers({
    ...{ redisUrl: server.url, catalog, accept: acceptDeps(), sweep: async () => ({}) },
    handlers: { backup: handler, restore: handler, verify: handler, retention: handler },
    lockKeyOf: async (operation) => operation.lockKey,
    ...{ concurrency: 1, queues: QUEUE_NAMES, leaseMs: LEASE_MS, clock: systemClock, log },
  })
  workers.push(started)
  return started
}

async function accept(lockKey: string): Promise<string> {
  const id = crypto.randomUUID()
  const { operation } = await catalog.operations.accept({
    ...{ id, jobId: id, type: 'verify', request: { type: 'retention' }, target: null, lockKey },
    ...{ dedupId: null, backupId: null, requestedBy: 'test', idempotency: null },
  })
  await queue.enqueue(operation)
  return id
}

function untilState(id: string, state: string): Promise<void> {
  return until(`${id} is ${state}`, 10_000, async () => (await catalog.operations.get(id)).state === state)
}

function acceptDeps(): AcceptDeps {
  const refuse = () => {
    throw new AppError('UNSUPPORTED_ENGINE', 'the test has no engines')
  }
  const seal = { seal: (plain: string) => plain, open: (sealed: string) => sealed }
  const drivers = { forUrl: refuse, byEngine: refuse }
  return { catalog, clock: systemClock, seal, drivers, storages: { names: ['default'] } }
}
