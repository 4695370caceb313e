import type { ConnectionOptions } from 'node:tls'
import type { Redis } from 'ioredis'
import { HoldfastError } from './holdfast-error.ts'

/** Where the queues are. */
export type QueueAddress =
  | { readonly redisUrl: string; readonly connection?: undefined }
  | { readonly connection: QueueConnectionOptions; readonly redisUrl?: undefined }

/** How to reach Redis, for those who have no URL for it. */
export interface QueueConnectionOptions {
  readonly host?: string
  readonly port?: number
  readonly db?: number
  readonly username?: string
  readonly password?: string
  readonly tls?: ConnectionOptions
}

const CONNECT_MS = 2_000
/** Redis has this long for anything that somebody waits for. */
const ANSWER_MS = 2_500

const COMMON = {
  connectTimeout: CONNECT_MS,
  retryStrategy: (times: number) => Math.min(50 * times, 1_000),
}

/**
 * Opens a connection that would rather fail than wait, and reconnects by itself for ever. Its outages are told by the
 * calls that meet them. Throws INVALID_CONFIGURATION if the URL is none.
 */
export async function connectProducer(address: QueueAddress): Promise<Redis> {
  const { Redis } = await import('ioredis')
  const options = {
    ...COMMON,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    // a Redis that accepts connections and never answers is noticed so
    socketTimeout: 5_000,
    // during a fail-over the old primary turns read-only: reconnecting finds the new one
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  }
  const redis =
    address.redisUrl === undefined
      ? new Redis({ ...address.connection, ...options })
      : new Redis(requireRedisUrl(address.redisUrl), options)
  // each call that waits for the connection listens
  redis.setMaxListeners(0)
  // without a listener an outage would end the process
  return redis.on('error', () => undefined)
}

/** For a connection that waits for Redis as long as it takes, as blocking commands must. */
export function listenerOptions({ redisUrl, connection }: QueueAddress) {
  const options = { ...connection, ...COMMON, maxRetriesPerRequest: null }
  return redisUrl === undefined ? options : { ...options, url: requireRedisUrl(redisUrl) }
}

/**
 * Runs `action` once the connection is ready. Rejects with QUEUE_UNAVAILABLE if both together take longer than 2.5 s
 * or Redis refuses; the action may still take effect later.
 */
export async function withinTime<Value>(
  redis: Redis,
  what: string,
  action: () => Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  let onReady: (() => void) | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS)
  })
  try {
    if (redis.status !== 'ready') {
      const ready = new Promise<void>((resolve) => {
        onReady = resolve
        redis.once('ready', resolve)
      })
      await Promise.race([ready, tooLate])
    }
    return await Promise.race([action(), tooLate])
  } catch (error) {
    throw queueUnavailable(what, error)
  } finally {
    clearTimeout(timer)
    if (onReady !== undefined) redis.off('ready', onReady)
  }
}

/** Without the error itself: those of the Redis client carry what was sent, and with AUTH the password. */
function queueUnavailable(what: string, error: unknown): HoldfastError {
  const reason = error instanceof Error ? error.message || error.name : 'unknown error'
  return new HoldfastError({
    code: 'QUEUE_UNAVAILABLE',
    detail: `${what}: ${reason.slice(0, 300)}`,
    hint: 'check that Redis runs, and the address that was given for it',
  })
}

function requireRedisUrl(text: string): string {
  if (URL.canParse(text) && ['redis:', 'rediss:'].includes(new URL(text).protocol)) return text
  throw new HoldfastError({
    code: 'INVALID_CONFIGURATION',
    detail: 'the address of the queues is not a redis:// or rediss:// URL',
  })
}
