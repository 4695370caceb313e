import type { Logger } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { RedisOptions } from 'ioredis'
import { Redis } from 'ioredis'
import { createOutageLog } from './outage-log.ts'
import { describeRedisError } from './redis-error.ts'

/**
 * What a connection is for. A `producer` would rather fail than wait; a `worker` waits for Redis as long as it takes,
 * as blocking commands must; a `subscriber` listens to channels.
 */
export type RedisRole = 'producer' | 'worker' | 'subscriber'

const ROLE_OPTIONS = {
  // a Redis that accepts connections and never answers is noticed by the socket's time-out
  producer: { enableOfflineQueue: false, maxRetriesPerRequest: 1, socketTimeout: 5_000 },
  worker: { maxRetriesPerRequest: null },
  subscriber: { maxRetriesPerRequest: null },
} as const satisfies Record<RedisRole, RedisOptions>

/**
 * Opens a connection that reconnects by itself for ever. Returns at once; outages are logged once each, without
 * the password. Throws INVALID_CONFIGURATION if the URL is not one, never repeating it.
 */
export function connectRedis(url: string, role: RedisRole, log: Logger): Redis {
  const { protocol, host } = parse(url)
  if (protocol !== 'redis:' && protocol !== 'rediss:') throw invalidUrl()
  const options = {
    connectTimeout: 2_000,
    keepAlive: 10_000,
    retryStrategy: (times: number) => Math.min(50 * times, 1_000),
    // during a fail-over the old primary turns read-only: reconnecting finds the new one
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...ROLE_OPTIONS[role],
  }
  const redis = new Redis(url, options)
  const outage = createOutageLog(log, `redis at ${host} (${role})`)
  redis.on('error', (error) => outage.failed(describeRedisError(error)))
  redis.on('ready', () => outage.worked())
  return redis
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch {
    throw invalidUrl()
  }
}

function invalidUrl(): AppError {
  return new AppError('INVALID_CONFIGURATION', 'HOLDFAST_REDIS_URL must be a redis:// or rediss:// URL')
}
