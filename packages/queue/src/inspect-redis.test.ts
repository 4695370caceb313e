import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { connectRedis } from './connect-redis.ts'
import { inspectRedis } from './inspect-redis.ts'
import type { TestRedis } from './testing/index.ts'
import { recordingLog, startTestRedis } from './testing/index.ts'

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = connectRedis(server.url, 'producer', recordingLog())
})

afterAll(async () => {
  redis.disconnect()
  await server.close()
})

describe('inspectRedis', () => {
  it('has nothing to say about a Redis as we ship it', async () => {
    const report = await inspectRedis(redis)
    assert.match(report.version, /^\d+\.\d+/)
    assert.deepEqual(report.warnings, [])
  })

  it('warns about eviction, a lazy log and no log at all', async () => {
    await server.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await server.client.config('SET', 'appendfsync', 'everysec')
    assert.match((await inspectRedis(redis)).warnings.join('\n'), /allkeys-lru[\s\S]*everysec/)
    await server.client.config('SET', 'appendonly', 'no')
    assert.match((await inspectRedis(redis)).warnings.join('\n'), /allkeys-lru[\s\S]*appendonly is off/)
    for (const [name, value] of [
      ['maxmemory-policy', 'noeviction'],
      ['appendonly', 'yes'],
      ['appendfsync', 'always'],
    ] as const) {
      await server.client.config('SET', name, value)
    }
  })

  it('says so where CONFIG is not allowed', async () => {
    await server.client.acl('SETUSER', 'limited', 'on', '>word', '~*', '&*', '+@all', '-config')
    const limited = connectRedis(`redis://limited:word@127.0.0.1:${server.port}`, 'producer', recordingLog())
    const { warnings } = await inspectRedis(limited)
    limited.disconnect()
    assert.deepEqual(warnings, ['this Redis does not allow CONFIG: appendfsync could not be checked'])
  })
})
