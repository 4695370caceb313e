import type { Redis } from 'ioredis'
import { queueUnavailable } from './redis-error.ts'

/** Redis has this long for anything that somebody waits for. */
export const ANSWER_MS = 2_000

/**
 * Runs `action` once the connection is ready. Rejects with QUEUE_UNAVAILABLE naming `what` if both together take
 * longer than `limitMs`, or if Redis refuses; the action may still take effect later.
 */
export async function within<Value>(
  redis: Redis,
  what: string,
  action: () => Promise<Value>,
  limitMs = ANSWER_MS,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  })
  try {
    if (redis.status !== 'ready') await Promise.race([nextReady(redis), tooLate])
    return await Promise.race([action(), tooLate])
  } catch (error) {
    throw queueUnavailable(what, error)
  } finally {
    clearTimeout(timer)
  }
}

const awaited = new WeakMap<Redis, Promise<void>>()

/** One listener for all who wait. */
function nextReady(redis: Redis): Promise<void> {
  let ready = awaited.get(redis)
  if (ready === undefined) {
    ready = new Promise((resolve) => {
      redis.once('ready', () => {
        awaited.delete(redis)
        resolve()
      })
    })
    awaited.set(redis, ready)
  }
  return ready
}
