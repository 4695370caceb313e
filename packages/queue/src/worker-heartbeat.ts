import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { within } from './within.ts'

const BEAT_MS = 3_000
/** A worker that has not been heard for so long does not count. */
const ALIVE_MS = 10_000

// the clock of Redis decides: those of the workers may differ
const BEAT_SCRIPT = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('EXISTS', KEYS[2])`

const COUNT_SCRIPT = `
local now = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), '+inf')`

/** How many workers are alive and able to work. Rejects with QUEUE_UNAVAILABLE within 3 s. */
export async function countWorkers(redis: Redis): Promise<number> {
  return Number(await within(redis, 'counting workers', () => redis.eval(COUNT_SCRIPT, 1, KEYS.workers)))
}

export interface HeartbeatListener {
  /** Asked before each beat: a worker that cannot work does not count. */
  isAble(): boolean
  /** Redis answered, but has forgotten whose it is: its data was lost. */
  forgotten(): void
}

export interface Heartbeat {
  /** Beats now, instead of in a few seconds. */
  beat(): void
  /** Takes the worker off the list at once. */
  stop(): Promise<void>
}

/** Tells Redis every few seconds that this worker is alive. */
export function startHeartbeat(redis: Redis, workerId: string, listener: HeartbeatListener): Heartbeat {
  const beat = async (): Promise<void> => {
    if (!listener.isAble()) return
    const known = await within(redis, 'heartbeat', () =>
      redis.eval(BEAT_SCRIPT, 2, KEYS.workers, KEYS.catalog, workerId, ALIVE_MS),
    ).catch(() => null)
    if (known === 0) listener.forgotten()
  }
  const timer = setInterval(() => void beat(), BEAT_MS)
  return {
    beat: () => void beat(),
    async stop() {
      clearInterval(timer)
      if (redis.status !== 'ready') return
      await within(redis, 'signing off', () => redis.zrem(KEYS.workers, workerId), 1_000).catch(
        () => undefined,
      )
    },
  }
}
