import assert from 'node:assert/strict'
import { rejectsWith, throwsWith } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { connectRedis } from './connect-redis.ts'
import { createJobQueue } from './job-queue.ts'
import type { TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'
import { until } from './testing/until.ts'

const CANARY = 'canary-5f1b'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})

afterAll(() => server.close())

describe('connectRedis', () => {
  it.each(['', 'nonsense', `http://x:${CANARY}@h`, `:${CANARY}`, 'redis://h:port'])(
    'refuses a URL that is none, without repeating it',
    (url) => {
      const error = throwsWith('INVALID_CONFIGURATION', () => connectRedis(url, 'producer', recordingLog()))
      assert.ok(!error.message.includes(CANARY))
    },
  )

  it('never tells the password, not even when it is refused', async () => {
    const log = recordingLog()
    const url = `redis://:${CANARY}@127.0.0.1:${server.port}`
    const queue = createJobQueue({ redisUrl: url, log })
    const error = await rejectsWith('QUEUE_UNAVAILABLE', queue.ping())
    await queue.close()
    assert.doesNotMatch(JSON.stringify({ ...error, text: error.stack, cause: error.cause }), /canary/)
    assert.match(log.text(), /WRONGPASS/)
    assert.doesNotMatch(log.text(), /canary/)
  })

  it('logs one line for an outage and one for its end', async () => {
    const log = recordingLog()
    const redis = connectRedis(server.url, 'producer', log)
    await until('it is ready', 2_000, () => redis.status === 'ready')
    await server.down()
    await until('it has tried again a few times', 5_000, () => log.lines.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await server.up()
    await until('it is ready again', 5_000, () => redis.status === 'ready')
    redis.disconnect()
    assert.deepEqual(
      log.lines.map(({ level, message }) => [level, message]),
      [
        ['warn', 'lost, will keep trying'],
        ['info', 'back again'],
      ],
    )
  })
})
