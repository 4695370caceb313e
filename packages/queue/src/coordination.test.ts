import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import { rejectsWith } from '@holdfast/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, it } from 'vitest'
import { claimRedis } from './claim-redis.ts'
import { connectRedis } from './connect-redis.ts'
import { exclusive } from './exclusive.ts'
import { KEYS } from './names.ts'
import type { TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'
import { countWorkers, startHeartbeat } from './worker-heartbeat.ts'

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = connectRedis(server.url, 'producer', recordingLog())
})

beforeEach(() => server.flush())

afterAll(async () => {
  redis.disconnect()
  await server.close()
})

describe('claimRedis', () => {
  it('gives Redis to the first catalog and refuses every other', async () => {
    await claimRedis(redis, 'one')
    await claimRedis(redis, 'one')
    await rejectsWith('CATALOG_MISMATCH', claimRedis(redis, 'two'))
  })

  it('gives Redis to one catalog when many ask at once, and anew after its data was lost', async () => {
    const claims = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => claimRedis(redis, id)))
    assert.equal(claims.filter(({ status }) => status === 'fulfilled').length, 1)
    await server.flush()
    await claimRedis(redis, 'another')
  })
})

describe('startHeartbeat', () => {
  const listener = { isAble: () => true, forgotten: () => undefined }

  it('counts a worker from its first beat until it stops', async () => {
    const heartbeats = ['x', 'y'].map((id) => startHeartbeat(redis, id, listener))
    for (const heartbeat of heartbeats) heartbeat.beat()
    await until('both count', 2_000, async () => (await countWorkers(redis)) === 2)
    await heartbeats[0]?.stop()
    assert.equal(await countWorkers(redis), 1)
    await heartbeats[1]?.stop()
    assert.equal(await countWorkers(redis), 0)
  })

  it('does not count a worker that died', async () => {
    const [seconds] = await server.client.time()
    await server.client.zadd(KEYS.workers, Number(seconds) * 1_000 - 1, 'dead')
    assert.equal(await countWorkers(redis), 0)
  })

  it('does not beat for a worker that cannot work, and notices that Redis has forgotten whose it is', async () => {
    let able = false
    let forgotten = 0
    const heartbeat = startHeartbeat(redis, 'z', {
      isAble: () => able,
      forgotten: () => {
        forgotten += 1
      },
    })
    heartbeat.beat()
    await sleep(100)
    assert.equal(await countWorkers(redis), 0)
    able = true
    heartbeat.beat()
    await until('it was told', 2_000, () => forgotten === 1)
    await claimRedis(redis, 'one')
    heartbeat.beat()
    await sleep(100)
    await heartbeat.stop()
    assert.equal(forgotten, 1)
  })
})

describe('exclusive', () => {
  const never = new AbortController().signal

  beforeEach(() => server.client.set(KEYS.claimedAt, 1))

  it('runs an action once at a time, however many want it', async () => {
    let runs = 0
    const action = async () => {
      runs += 1
      await sleep(100)
      return 'done'
    }
    const results = await Promise.all([1, 2, 3].map(() => exclusive(redis, 'k', 1_000, never, action)))
    assert.deepEqual(results.toSorted(), ['done', null, null])
    assert.equal(await exclusive(redis, 'k', 1_000, never, action), 'done')
    assert.equal(runs, 2)
  })

  it('is kept for as long as the action runs, also when Redis loses its data', async () => {
    const long = exclusive(redis, 'k', 300, never, () => sleep(900, 'done'))
    const second = () => exclusive(redis, 'k', 300, never, async () => 'second')
    await sleep(400)
    assert.equal(await second(), null)
    await server.flush()
    await rejectsWith('QUEUE_UNAVAILABLE', second())
    await claimRedis(redis, 'one')
    await rejectsWith('QUEUE_UNAVAILABLE', second())
    await sleep(310)
    assert.equal(await second(), null)
    assert.equal(await long, 'done')
    assert.equal(await second(), 'second')
  })

  it('is free again after an action that failed, and after a holder that died', async () => {
    await assert.rejects(exclusive(redis, 'k', 300, never, () => Promise.reject(new Error('no'))))
    assert.equal(await exclusive(redis, 'k', 300, never, async () => 'next'), 'next')
    await server.client.set('k', 'dead', 'PX', 100)
    await sleep(150)
    assert.equal(await exclusive(redis, 'k', 300, never, async () => 'next'), 'next')
  })

  it('ends an action whose place another one has taken', async () => {
    const running = exclusive(redis, 'k', 300, never, async (signal) => {
      await sleep(5_000, undefined, { signal }).catch(() => undefined)
      return signal.reason
    })
    await until('it is taken', 1_000, async () => (await server.client.exists('k')) === 1)
    await server.client.set('k', 'somebody else')
    assert.ok((await running) instanceof AppError)
    assert.equal(await server.client.get('k'), 'somebody else')
  })
})
