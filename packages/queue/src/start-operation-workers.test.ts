import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCatalog } from '@holdfast/catalog'
import type { AcceptDeps, Catalog, OperationContext, OperationEnd, OperationHandler } from '@holdfast/core'
import { AppError, acceptRetention, cancellation, QUEUE_NAMES, systemClock } from '@holdfast/core'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, rejectsWith } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import { connectRedis } from './connect-redis.ts'
import type { BullJobQueue } from './job-queue.ts'
import { createJobQueue } from './job-queue.ts'
import { KEYS } from './names.ts'
import type { OperationWorkers, OperationWorkersOptions } from './start-operation-workers.ts'
import { startOperationWorkers } from './start-operation-workers.ts'
import type { RecordingLog, TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'
import { countWorkers } from './worker-heartbeat.ts'

const LEASE_MS = 1_500

let server: TestRedis
let directory: TemporaryDirectory
let catalog: Catalog
let queue: BullJobQueue
let log: RecordingLog
let started: OperationWorkers[]

beforeAll(async () => {
  server = await startTestRedis()
})

beforeEach(async () => {
  await server.flush()
  directory = await makeTemporaryDirectory('workers')
  catalog = await openCatalog({ url: `sqlite:${join(directory.path, 'catalog.db')}`, clock: systemClock })
  log = recordingLog()
  queue = createJobQueue({ redisUrl: server.url, log })
  await queue.ping()
  started = []
})

afterEach(async () => {
  await Promise.all(started.map((workers) => workers.close({ graceMs: 0 })))
  await queue.close()
  await catalog.close()
  await directory.remove()
})

afterAll(() => server.close())

describe('startOperationWorkers', () => {
  it('is counted and healthy as soon as it takes jobs, and not any more when it is closed', async () => {
    const control = connectRedis(server.url, 'producer', log)
    const workers = await start()
    await until('it is counted', 2_000, async () => (await countWorkers(control)) === 1)
    assert.equal(workers.isHealthy(), true)
    await workers.close({ graceMs: 0 })
    assert.equal(workers.isHealthy(), false)
    assert.equal(await countWorkers(control), 0)
    control.disconnect()
  })

  it('refuses to work on the Redis of another catalog', async () => {
    await server.client.set(KEYS.catalog, 'another')
    const error = await rejectsWith('CATALOG_MISMATCH', start())
    assert.notEqual(error.hint, null)
  })

  it('stops taking jobs when Redis comes to belong to another catalog, until it is its own again', async () => {
    const workers = await start()
    await until('it is healthy', 2_000, () => workers.isHealthy())
    await server.client.set(KEYS.catalog, 'another')
    await until('it refuses', 5_000, () => !workers.isHealthy())
    const { operation } = await acceptRetention(acceptDeps(), caller)
    await queue.enqueue(operation)
    await sleep(300)
    assert.equal((await catalog.operations.get(operation.id)).state, 'queued')
    await server.client.del(KEYS.catalog)
    await until('it works again', 8_000, async () => {
      return (await catalog.operations.get(operation.id)).state === 'completed'
    })
    assert.equal(log.lines.filter(({ message }) => message === 'taking no jobs').length, 1)
  })

  it('is not healthy while Redis or the catalog are away', async () => {
    let catalogAway = false
    const unreliable: OperationWorkersOptions['catalog'] = {
      id: catalog.id,
      ping: () => catalog.ping(),
      operations: new Proxy(catalog.operations, {
        get(target, name, receiver) {
          if (catalogAway && name === 'listUnfinished') {
            return () => Promise.reject(new AppError('CATALOG_UNAVAILABLE', 'away'))
          }
          return Reflect.get(target, name, receiver)
        },
      }),
    }
    const workers = await start({ catalog: unreliable })
    await until('it is healthy', 2_000, () => workers.isHealthy())
    catalogAway = true
    await until('it notices', 4_000, () => !workers.isHealthy())
    catalogAway = false
    await until('it is healthy again', 4_000, () => workers.isHealthy())
    await server.down()
    await until('it notices', 2_000, () => !workers.isHealthy())
    await server.up()
    await until('it is healthy again', 5_000, () => workers.isHealthy())
    const lost = log.lines.filter(({ fields }) => 'what' in fields && fields.what === 'reconciling')
    assert.ok(lost.length >= 2 && lost.length <= 4, log.text())
  })

  it('closes in bounded time while Redis is away, whatever runs', async () => {
    const workers = await start({ handlers: handlersOf(sleeper(60_000)) })
    await runRetention(workers)
    await server.down()
    await sleep(200)
    const closedAt = performance.now()
    await workers.close({ graceMs: 200 })
    assert.ok(performance.now() - closedAt < 5_000, `${performance.now() - closedAt} ms`)
    const [left] = await catalog.operations.listUnfinished()
    assert.equal(left?.operation.state, 'queued', 'handed back in the catalog all the same')
    await server.up()
  })

  it('leaves what does not stop to be taken over', async () => {
    const stubborn: OperationHandler = {
      run: () => new Promise(() => undefined),
      settle: () => new Promise(() => undefined),
    }
    const workers = await start({ handlers: handlersOf(stubborn) })
    const id = await runRetention(workers)
    const closedAt = performance.now()
    await workers.close({ graceMs: 100 })
    assert.ok(performance.now() - closedAt < 5_000)
    assert.equal((await catalog.operations.get(id)).state, 'running')
    const next = await start()
    await until('it is taken over', 4 * LEASE_MS, async () => {
      return (await catalog.operations.get(id)).state === 'completed'
    })
    assert.ok(next.isHealthy())
  })

  it('keeps two names of one database apart once it knows that they are one', async () => {
    const running = new Set<string>()
    let most = 0
    const handler: OperationHandler = {
      ...sleeper(150),
      async run(context) {
        running.add(context.operation.id)
        most = Math.max(most, running.size)
        await sleep(150)
        running.delete(context.operation.id)
        return ended(context)
      },
    }
    await start({ handlers: handlersOf(handler), lockKeyOf: async () => 'the same database', concurrency: 4 })
    const ids = await Promise.all(['one', 'two', 'three'].map((name) => acceptUnder(`name:${name}`)))
    await until('all are finished', 10_000, async () => {
      const states = await Promise.all(ids.map((id) => catalog.operations.get(id)))
      return states.every(({ state }) => state === 'completed')
    })
    assert.equal(most, 1)
  })

  it('carries on when the identity of a database cannot be found out', async () => {
    const workers = await start({ lockKeyOf: () => Promise.reject(new Error('no')) })
    const id = await runRetention(workers)
    await until('it is finished', 4_000, async () => {
      return (await catalog.operations.get(id)).state === 'completed'
    })
  })
})

describe('maintenance', () => {
  it('sweeps in one worker at a time and asks for retention, again and again, also after a flush', async () => {
    let sweeping = 0
    let most = 0
    let sweeps = 0
    const sweep = async () => {
      sweeps += 1
      sweeping += 1
      most = Math.max(most, sweeping)
      await sleep(250)
      sweeping -= 1
      return { removed: 0 }
    }
    await Promise.all([1, 2, 3].map(() => start({ sweep, maintenanceEveryMs: 150 })))
    await until('it was swept', 8_000, () => sweeps >= 3)
    await server.flush()
    const before = sweeps
    await until('it is swept again', 12_000, () => sweeps >= before + 3)
    assert.equal(most, 1)
    const { total } = await catalog.operations.list({ type: 'retention' }, { limit: 1, cursor: null })
    assert.ok(total >= 2)
  })

  it('is scheduled once, however often workers start', async () => {
    const first = await start({ maintenanceEveryMs: 60_000 })
    await until('it is healthy', 2_000, () => first.isHealthy())
    const maintenance = queue.queues.find(({ name }) => name === 'maintenance')
    const schedulers = async () =>
      (await maintenance?.getJobSchedulers())?.map(({ key, iterationCount, next }) => ({
        key,
        iterationCount,
        next,
      }))
    await until('both ticks have run', 4_000, async () => {
      return (await schedulers())?.every(({ iterationCount }) => iterationCount === 2) === true
    })
    const before = await schedulers()
    for (let n = 0; n < 3; n += 1) await start({ maintenanceEveryMs: 60_000 })
    await until('all are healthy', 4_000, () => started.every((workers) => workers.isHealthy()))
    assert.deepEqual(await schedulers(), before)
    assert.deepEqual(before?.map(({ key }) => key).toSorted(), ['retention', 'sweep'])
  })
})

const caller = { actor: 'test', idempotencyKey: null, job: null }

async function start(options: Partial<OperationWorkersOptions> = {}): Promise<OperationWorkers> {
  const workers = await startOperationWorkers({
    redisUrl: server.url,
    catalog,
    accept: acceptDeps(),
    handlers: handlersOf(sleeper(10)),
    lockKeyOf: async (operation) => operation.lockKey,
    sweep: async () => ({}),
    concurrency: 2,
    queues: QUEUE_NAMES,
    leaseMs: LEASE_MS,
    clock: systemClock,
    log,
    ...options,
  })
  started.push(workers)
  return workers
}

/** The run of retention that maintenance asks for at once, or one of our own. */
async function runRetention(workers: OperationWorkers): Promise<string> {
  const { operation } = await acceptRetention(acceptDeps(), caller)
  await queue.enqueue(operation)
  await until('it runs or is over', 4_000, async () => {
    return workers.running() > 0 || (await catalog.operations.get(operation.id)).state === 'completed'
  })
  return operation.id
}

async function acceptUnder(lockKey: string): Promise<string> {
  const id = crypto.randomUUID()
  const { operation } = await catalog.operations.accept({
    ...{ id, jobId: id, type: 'retention', request: { type: 'retention' }, target: null, lockKey },
    ...{ dedupId: null, backupId: null, requestedBy: 'test', idempotency: null },
  })
  await queue.enqueue(operation)
  return id
}

function acceptDeps(): AcceptDeps {
  const refuse = () => {
    throw new AppError('UNSUPPORTED_ENGINE', 'the test has no engines')
  }
  const seal = { seal: (plain: string) => plain, open: (sealed: string) => sealed }
  const byEngine = (engine: string) => ({
    engine,
    formats: [{ name: 'sqlite', extension: 'sqlite', streams: false }] as const,
    supports: { globals: false, filter: false, snapshot: true, definers: false },
    servers: null,
  })
  const drivers = { forUrl: refuse, byEngine }
  return { catalog, clock: systemClock, seal, drivers, storages: { names: ['default'] } }
}

function handlersOf(handler: OperationHandler): OperationWorkersOptions['handlers'] {
  return { backup: handler, restore: handler, verify: handler, retention: handler }
}

function sleeper(ms: number): OperationHandler {
  return {
    async run(context) {
      await sleep(ms, undefined, { signal: context.signal }).catch(() => {
        throw cancellation(context.signal)
      })
      return ended(context)
    },
    settle: async (_context, failure) => ({ ...nothing, state: 'failed', failure }),
  }
}

const nothing = { result: null, failure: null, backup: null, replaced: null, undone: null } as const

function ended({ held }: OperationContext): OperationEnd {
  return { ...nothing, state: 'completed', result: { fence: held.fence } }
}
