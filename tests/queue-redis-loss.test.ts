import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { QueueFleet } from './support/queue-fleet.ts'
import { startFleet, until } from './support/queue-fleet.ts'
import { gapMs, recordsOn, runnerOf, starts } from './support/run-records.ts'

/** Long, so that no worker loses its lease because the machine is busy. */
const LEASE_MS = 20_000
const SHORT_LEASE_MS = 4_000

describe('Redis, while jobs run,', { timeout: 120_000 }, () => {
  let fleet: QueueFleet

  beforeAll(async () => {
    fleet = await startFleet({ workers: 3, leaseMs: LEASE_MS })
    const cases = ['restart', 'flush', 'flushes']
    const names = cases.flatMap((name) => ['a', 'b', 'c', 'd'].map((letter) => `${name}-${letter}`))
    await fleet.register(Object.fromEntries(names.map((name) => [name, `db:${name}`])))
  })

  afterAll(() => fleet.stop())

  it('is restarted: each is run once', async () => {
    const ids = await requestSix(fleet, 'restart', 700)
    await runnerOf(fleet, ids[0] ?? '')
    await fleet.redis.down()
    await sleep(500)
    await fleet.redis.up()
    assertCompleted(await fleet.finished(ids, 30_000))
    assert.equal(starts(await recordsOn(fleet, ...databases('restart'))).length, ids.length)
  })

  it('loses its data: no busy database is used twice, and queued work is back within seconds', async () => {
    const ids = await requestSix(fleet, 'flush', 1_500)
    await runnerOf(fleet, ids[0] ?? '')
    await fleet.redis.flush()
    const idle = await fleet.request('flush-d', { ms: 10 })
    await fleet.finished([idle.operation.id], 8_000)
    assertCompleted(await fleet.finished(ids, 30_000))
    for (const database of databases('flush').slice(0, 3)) {
      const records = await recordsOn(fleet, database)
      assert.deepEqual(
        records.map(({ event }) => event),
        ['start', 'end', 'start', 'end'],
      )
      assert.ok(gapMs(records[1], records[2]) < 6_000)
    }
  })

  it('loses its data again and again: everything is carried out once', async () => {
    const flushing = new AbortController()
    const flusher = (async () => {
      while (!flushing.signal.aborted) {
        await sleep(250)
        await fleet.redis.flush()
      }
    })()
    const ids: string[] = []
    for (let n = 0; n < 40; n += 1) {
      const target = `flushes-${['a', 'b', 'c', 'd'][n % 4]}`
      ids.push((await fleet.request(target, { ms: 120 }, { labels: { n: `${n}` } })).operation.id)
      await sleep(40)
    }
    flushing.abort()
    await flusher
    assertCompleted(await fleet.finished(ids, 60_000))
    assert.equal(starts(await recordsOn(fleet, ...databases('flushes'))).length, ids.length)
  })
})

describe('Redis, in an outage,', { timeout: 120_000 }, () => {
  let fleet: QueueFleet

  afterEach(() => fleet.stop())

  it('longer than the lease, stops nothing: what runs is recorded once', async () => {
    fleet = await startFleet({ workers: 2, leaseMs: SHORT_LEASE_MS })
    await fleet.register(Object.fromEntries(databases('outage').map((key) => [key.slice('db:'.length), key])))
    const ids = await requestSix(fleet, 'outage', 1_000)
    await runnerOf(fleet, ids[0] ?? '')
    await fleet.redis.down()
    await sleep(SHORT_LEASE_MS + 1_500)
    const inBetween = await Promise.all(ids.map((id) => fleet.catalog.operations.get(id)))
    await fleet.redis.up()
    assert.ok(inBetween.some(({ state }) => state === 'completed'))
    assertCompleted(await fleet.finished(ids, 30_000))
    assert.equal(starts(await recordsOn(fleet, ...databases('outage'))).length, ids.length)
  })
})

describe('Redis, absent when workers start,', { timeout: 120_000 }, () => {
  let fleet: QueueFleet

  afterEach(() => fleet.stop())

  it('makes requests fail without a trace; work begins when it comes', async () => {
    fleet = await startFleet({ workers: 2, redisDown: true })
    await fleet.register({ a: 'db:a' })
    const askedAt = performance.now()
    await assert.rejects(
      fleet.request('a', { ms: 10 }),
      (error) => error instanceof AppError && error.code === 'QUEUE_UNAVAILABLE',
    )
    assert.ok(performance.now() - askedAt < 3_000)
    assert.deepEqual(await fleet.catalog.operations.listUnfinished(), [])
    await fleet.redis.up()
    await until('redis answers', 10_000, () =>
      fleet.queue.ping().then(
        () => true,
        () => false,
      ),
    )
    const { operation } = await fleet.request('a', { ms: 10 })
    assertCompleted(await fleet.finished([operation.id], 20_000))
  })
})

/** Two requests on each of three databases. */
async function requestSix(fleet: QueueFleet, name: string, ms: number): Promise<readonly string[]> {
  const accepted = await Promise.all(
    ['a', 'b', 'c', 'a', 'b', 'c'].map((letter, n) =>
      fleet.request(`${name}-${letter}`, { ms }, { labels: { n: `${n}` } }),
    ),
  )
  return accepted.map(({ operation }) => operation.id)
}

function databases(name: string): readonly string[] {
  return ['a', 'b', 'c', 'd'].map((letter) => `db:${name}-${letter}`)
}

function assertCompleted(operations: readonly Operation[]): void {
  assert.deepEqual([...new Set(operations.map(({ state }) => state))], ['completed'])
}
