import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OperationEvent, OperationEvents } from '@holdfast/core'
import { rejectsWith } from '@holdfast/testing'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import { connectRedis } from './connect-redis.ts'
import { KEYS } from './names.ts'
import { createOperationEvents } from './operation-events.ts'
import type { TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'
import type { OperationWatch } from './watch-operations.ts'
import { watchOperationEvents } from './watch-operations.ts'

let server: TestRedis
let redis: Redis
let events: OperationEvents
let watch: OperationWatch

beforeAll(async () => {
  server = await startTestRedis()
  redis = connectRedis(server.url, 'producer', recordingLog())
  events = createOperationEvents(redis)
})

beforeEach(async () => {
  await server.flush()
  watch = watchOperationEvents({ redisUrl: server.url, log: recordingLog() })
})

afterEach(() => watch.close())

afterAll(async () => {
  redis.disconnect()
  await server.close()
})

describe('watchOperationEvents', () => {
  it('tells every listener of every change, in order, until it unsubscribes', async () => {
    const first: string[] = []
    const second: string[] = []
    watch.subscribe((event) => first.push(event.operationId))
    const stop = watch.subscribe((event) => second.push(event.operationId))
    await listening()
    for (const id of ['a', 'b', 'c']) await events.publish(id)
    await until('both were told', 2_000, () => first.length === 3 && second.length === 3)
    stop()
    await events.publish('d')
    await until('the first was told', 2_000, () => first.length === 4)
    assert.deepEqual(first, ['a', 'b', 'c', 'd'])
    assert.deepEqual(second, ['a', 'b', 'c'])
  })

  it('goes on for the others when a listener throws', async () => {
    const told: string[] = []
    watch.subscribe(() => {
      throw new Error('mine')
    })
    watch.subscribe((event) => told.push(event.operationId))
    await listening()
    await events.publish('a')
    await events.publish('b')
    await until('the second was told', 2_000, () => told.length === 2)
  })

  it('gives what was missed since an event', async () => {
    const seen: OperationEvent[] = []
    watch.subscribe((event) => seen.push(event))
    await listening()
    for (const id of ['a', 'b', 'c']) await events.publish(id)
    await until('it was told', 2_000, () => seen.length === 3)
    const missed = await watch.since(seen[0]?.id ?? '')
    assert.deepEqual(missed, seen.slice(1))
    assert.deepEqual(await watch.since('nonsense'), [])
    assert.deepEqual(await watch.since(''), [])
  })

  it.each(['restarts', 'loses its data'])('goes on when Redis %s', async (what) => {
    const told = new Set<string>()
    watch.subscribe((event) => told.add(event.operationId))
    await listening()
    await events.publish('before')
    await until('it was told', 2_000, () => told.has('before'))
    if (what === 'restarts') {
      await server.down()
      await sleep(300)
      await server.up()
    } else {
      await server.flush()
    }
    await until('it is told again', 5_000, async () => {
      await events.publish('after').catch(() => undefined)
      return told.has('after')
    })
  })

  it('goes on when the clock of Redis was set back while its data was lost', async () => {
    const told = new Set<string>()
    await redis.xadd(KEYS.events, '99999999999999-0', 'operationId', 'future')
    await watch.close()
    watch = watchOperationEvents({ redisUrl: server.url, log: recordingLog() })
    watch.subscribe((event) => told.add(event.operationId))
    await listening()
    await server.flush()
    await events.publish('present')
    await until('it is told', 6_000, () => told.has('present'))
  })

  it('waits for a Redis that is absent at start, and refuses meanwhile in bounded time', async () => {
    await watch.close()
    await server.down()
    watch = watchOperationEvents({ redisUrl: server.url, log: recordingLog() })
    const told = new Set<string>()
    watch.subscribe((event) => told.add(event.operationId))
    const askedAt = performance.now()
    await rejectsWith('QUEUE_UNAVAILABLE', watch.since('1-1'))
    assert.ok(performance.now() - askedAt < 3_000)
    await server.up()
    await until('it is told', 5_000, async () => {
      await events.publish('late').catch(() => undefined)
      return told.has('late')
    })
  })

  it('keeps the stream short', async () => {
    const pipeline = redis.pipeline()
    for (let n = 0; n < 12_000; n += 1) pipeline.xadd(KEYS.events, '*', 'operationId', 'x')
    await pipeline.exec()
    await events.publish('last')
    assert.ok((await redis.xlen(KEYS.events)) < 10_300)
  })
})

/** Until the reader blocks: what is published before is none of its business. */
async function listening(): Promise<void> {
  await until('the reader blocks', 3_000, async () =>
    /flags=b .*cmd=xread/.test(String(await redis.client('LIST'))),
  )
}
