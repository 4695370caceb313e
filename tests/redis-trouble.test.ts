import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '@holdfast/queue'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addTarget, begun, LEASE_MS, startSlowSystem } from './support/slow-system.ts'
import type { System } from './support/system.ts'
import { carryOut, finished } from './support/system.ts'

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

describe('Redis in trouble', () => {
  let system: System

  beforeAll(async () => {
    system = await startSlowSystem(['shop', 'blog', 'wiki'])
  })
  afterAll(() => system?.stop())

  const totals = async () => {
    const { body: operations } = await system.call('GET', '/v1/operations?type=backup')
    const { body: backups } = await system.call('GET', '/v1/backups')
    return [operations.total, backups.total]
  }

  it('that is away when work is asked for is said in time, and leaves no trace', async () => {
    const before = await totals()
    await system.redisDown()
    const startedAt = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        system.call('POST', '/v1/backups', { target: 'shop', note: `refused ${index}` }),
      ),
    )
    expect(performance.now() - startedAt).toBeLessThan(3000)
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(await totals()).toEqual(before)
    await system.redisUp()
    await system.ready()
    // nothing that was refused comes up later
    await sleep(LEASE_MS * 2)
    expect(await totals()).toEqual(before)
    expect((await carryOut(system, '/v1/backups', { target: 'shop' })).state).toBe('completed')
  })

  it('that forgets everything makes nothing run twice and loses nothing', async () => {
    const runsBefore = await runsOn('shop')
    const ids = [await begun(system, '/v1/backups', { target: 'shop', note: 'runs' })]
    for (const target of ['shop', 'blog', 'shop', 'wiki', 'blog']) {
      const { body } = await system.call('POST', '/v1/backups', { target, note: `waits ${ids.length}` })
      ids.push(body.id)
    }
    await flush()
    await expectEachOnce(ids)
    expect((await runsOn('shop')) - runsBefore).toBe(3)
    expect(await runsOn('blog')).toBe(2)
    expect(await runsOn('wiki')).toBe(1)
  })

  it('that forgets everything again and again lets all work come to its end', async () => {
    const ids: string[] = []
    for (let round = 0; round < 4; round += 1) {
      for (const target of ['shop', 'blog']) {
        const { body } = await system.call('POST', '/v1/backups', { target, note: `round ${round}` })
        ids.push(body.id)
      }
      await flush()
      await sleep(LEASE_MS / 2)
    }
    await expectEachOnce(ids)
  })

  it.each([
    ['for a moment', 0],
    ['for longer than a lease', LEASE_MS * 3],
  ])(
    'that is restarted in the middle of a backup, away %s, lets it be recorded once',
    async (_for, awayMs) => {
      const runsBefore = await runsOn('shop')
      const ids = [await begun(system, '/v1/backups', { target: 'shop', note: `away ${awayMs}` })]
      for (const target of ['shop', 'wiki']) {
        const { body } = await system.call('POST', '/v1/backups', { target, note: `waits, away ${awayMs}` })
        ids.push(body.id)
      }
      await system.redisDown()
      await sleep(awayMs)
      await system.redisUp()
      await expectEachOnce(ids)
      expect((await runsOn('shop')) - runsBefore).toBe(2)
    },
  )

  async function flush(): Promise<void> {
    const redis = connectRedis(system.redis.url, 'worker', SILENT)
    await redis.flushall()
    redis.disconnect()
  }

  /** How often a worker has begun work on a database: each time it is given a number, which the artifacts carry. */
  async function runsOn(target: string): Promise<number> {
    const folders = await readdir(join(system.dataDir, 'storage', target))
    const names = await Promise.all(folders.map((id) => readdir(join(system.dataDir, 'storage', target, id))))
    return Math.max(...names.flat().map((name) => Number(/^data-(\d+)\./.exec(name)?.[1] ?? 0)))
  }

  async function expectEachOnce(ids: readonly string[]): Promise<void> {
    const backupIds = new Set<string>()
    for (const id of ids) {
      const operation = await finished(system, id)
      expect(operation).toMatchObject({ state: 'completed', error: null })
      backupIds.add(operation.backupId)
    }
    expect(backupIds.size).toBe(ids.length)
    const { body } = await system.call('GET', '/v1/backups?limit=200')
    const listed = body.items.filter(({ id }: { id: string }) => backupIds.has(id))
    expect(listed.map(({ status }: { status: string }) => status)).toEqual(ids.map(() => 'completed'))
  }
})

describe('Redis that comes only after API and worker', () => {
  let system: System

  beforeAll(async () => {
    system = await startSlowSystem([], { redisDown: true, workers: 1 })
  })
  afterAll(() => system?.stop())

  it('is waited for, and then everything works', async () => {
    const isAlive = async () => (await fetch(`${system.url}/healthz`).catch(() => null))?.status
    await expect.poll(isAlive, { timeout: 20_000 }).toBe(200)
    const ready = await system.call('GET', '/readyz')
    expect(ready).toMatchObject({ status: 503, body: { parts: { redis: false, worker: false } } })
    await addTarget(system, 'shop')
    const refused = await system.call('POST', '/v1/backups', { target: 'shop' })
    expect(refused).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } })
    expect(system.workers[0]?.child.exitCode).toBeNull()

    await system.redisUp()
    await system.ready()
    expect((await carryOut(system, '/v1/backups', { target: 'shop' })).state).toBe('completed')
  })
})
