import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createQueueProducer } from '@holdfast/client'
import { connectRedis } from '@holdfast/queue'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silent } from './support/queue-fleet.ts'
import { addShelf, membersOf, mostAtOnce, SHELF_WORKER, startShelfSystem } from './support/shelf-system.ts'
import { MOMENTS_OF_A_GROUP } from './support/shelf-worker.ts'
import type { System } from './support/system.ts'
import { finished } from './support/system.ts'

const LEASE_MS = 1000
const DATABASES = Array.from({ length: 12 }, (_, index) => `db_${String(index).padStart(2, '0')}`)

/** The group has ended once, with one member and one usable backup of each of its databases. */
async function requireWhole(system: System, groupId: string, databases: readonly string[]): Promise<void> {
  const group = await finished(system, groupId, 90_000)
  expect(group).toMatchObject({
    state: 'completed',
    error: null,
    result: { completed: databases.length, failed: 0 },
  })
  const members = await membersOf(system, groupId)
  expect(members.map(({ request }: { request: { database: string } }) => request.database)).toEqual(databases)
  expect(new Set(members.map(({ state }: { state: string }) => state))).toEqual(new Set(['completed']))
  const { body: backups } = await system.call('GET', `/v1/backups?target=${group.target}&limit=200`)
  expect(backups.total).toBe(databases.length)
  for (const backup of backups.items) expect(backup).toMatchObject({ status: 'completed', groupId })
  const planned = group.result.members.map(({ operationId }: { operationId: string }) => operationId)
  expect(planned).toEqual(members.map(({ id }: { id: string }) => id))
}

async function ask(system: System, target: string): Promise<string> {
  const { body, status } = await system.call('POST', '/v1/backups', { target })
  expect(status).toBe(202)
  return body.id
}

describe('a group whose worker is killed', { timeout: 120_000 }, () => {
  let system: System
  beforeAll(async () => {
    system = await startShelfSystem({ workers: 1, leaseMs: LEASE_MS })
    await system.workers[0]?.kill('SIGTERM')
  })
  afterAll(() => system.stop())

  it.each(MOMENTS_OF_A_GROUP)('%s ends once, with one member of each database', async (moment) => {
    const target = `killed-${moment}`
    const databases = DATABASES.slice(0, 3)
    await addShelf(system, target, databases, { parallelDatabases: 2 })
    const dying = system.startWorker(SHELF_WORKER, { HOLDFAST_TEST_DIE_AT: moment })
    await system.ready()
    const id = await ask(system, target)
    const died = new Promise((resolve) => dying.child.once('exit', (_code, signal) => resolve(signal)))
    expect(await Promise.race([died, sleep(30_000)])).toBe('SIGKILL')
    const healthy = system.startWorker()
    await requireWhole(system, id, databases)
    await healthy.kill('SIGTERM')
  })

  it('again and again ends once, with one member of each database', async () => {
    await addShelf(system, 'chaos', DATABASES, { parallelDatabases: 3 })
    const workers = [system.startWorker(), system.startWorker()]
    await system.ready()
    const id = await ask(system, 'chaos')
    // a member that loses its worker four times would be given up: so often it cannot meet here
    for (let round = 0; round < 8; round += 1) {
      await sleep(150 + 250 * Math.random())
      const at = Math.floor(round / 2) % workers.length
      await workers[at]?.kill(round % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
      workers[at] = system.startWorker()
    }
    await requireWhole(system, id, DATABASES)
    await Promise.all(workers.map((worker) => worker.kill('SIGTERM')))
  })

  it('while it is being cancelled is cancelled, with all of its members', async () => {
    await addShelf(system, 'cancelled', ['1 slow', '2 slow', '3'])
    const doomed = system.startWorker()
    await system.ready()
    const id = await ask(system, 'cancelled')
    while ((await membersOf(system, id)).length < 2) await sleep(20)
    await doomed.kill('SIGKILL')
    await system.call('POST', `/v1/operations/${id}/cancel`)
    const healthy = system.startWorker()
    const group = await finished(system, id)
    expect(group).toMatchObject({ state: 'cancelled', result: { completed: 0, failed: 3 } })
    await healthy.kill('SIGTERM')
  })
})

describe('a group', { timeout: 120_000 }, () => {
  it('takes no worker from its members, begins no more than it may, and fails if its server is away', async () => {
    const system = await startShelfSystem({ workers: 1, concurrency: 1, dumpMs: 20 })
    try {
      await system.call('POST', '/v1/targets', { name: 'away', url: `shelf://${system.directory}/nowhere/` })
      const away = await ask(system, 'away')
      const names = ['one', 'two', 'three']
      for (const name of names) await addShelf(system, name, DATABASES.slice(0, 4))
      const ids = await Promise.all(names.map((name) => ask(system, name)))
      for (const id of ids) await requireWhole(system, id, DATABASES.slice(0, 4))

      await addShelf(system, 'by-queue', DATABASES.slice(0, 3))
      const producer = createQueueProducer({ redisUrl: system.redis.url, requestedBy: 'billing' })
      const job = await producer.requestBackup({ target: 'by-queue' })
      expect(await producer.waitFor(job)).toMatchObject({ completed: 3, failed: 0 })
      await producer.close()

      const logFile = join(system.directory, 'dumps.log')
      const wide = system.startWorker(SHELF_WORKER, {
        HOLDFAST_CONCURRENCY: '8',
        HOLDFAST_TEST_SHELF_LOG: logFile,
        HOLDFAST_TEST_DUMP_MS: '100',
      })
      await system.workers[0]?.kill('SIGTERM')
      for (const [parallelDatabases, expected] of [
        [undefined, 2],
        [4, 4],
      ] as const) {
        const name = `limited-${expected}`
        await addShelf(system, name, DATABASES, parallelDatabases === undefined ? {} : { parallelDatabases })
        await requireWhole(system, await ask(system, name), DATABASES)
        expect(mostAtOnce(logFile)).toBeLessThanOrEqual(expected)
        expect(mostAtOnce(logFile)).toBeGreaterThan(expected / 2)
      }
      expect(wide.child.exitCode).toBeNull()
      // it has failed by itself meanwhile, and was tried again
      const failure = { state: 'failed', error: { code: 'TARGET_UNREACHABLE' }, attempts: 3 }
      expect(await finished(system, away)).toMatchObject(failure)
    } finally {
      await system.stop()
    }
  })

  it('outlives the loss of all that Redis holds, and its outage', async () => {
    const system = await startShelfSystem({ workers: 2, leaseMs: LEASE_MS })
    try {
      await addShelf(system, 'lost', DATABASES)
      const id = await ask(system, 'lost')
      const redis = connectRedis(system.redis.url, 'producer', silent)
      for (let round = 0; round < 4; round += 1) {
        await sleep(300)
        await redis.flushall()
      }
      redis.disconnect()
      await system.redisDown()
      await sleep(1500)
      await system.redisUp()
      await requireWhole(system, id, DATABASES)
    } finally {
      await system.stop()
    }
  })

  it('goes on where it was after a restart of everything', async () => {
    const system = await startShelfSystem({ workers: 1, leaseMs: LEASE_MS, dumpMs: 300 })
    try {
      await addShelf(system, 'restarted', DATABASES.slice(0, 6))
      const id = await ask(system, 'restarted')
      while ((await membersOf(system, id)).length < 3) await sleep(20)
      await system.workers[0]?.kill('SIGKILL')
      await system.redisDown()
      await system.redisUp()
      system.startWorker()
      await requireWhole(system, id, DATABASES.slice(0, 6))
    } finally {
      await system.stop()
    }
  })
})
