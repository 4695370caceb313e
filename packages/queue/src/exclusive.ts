import { randomUUID } from 'node:crypto'
import { AppError } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { within } from './within.ts'

// Redis may have just lost its data, and with it the key of a holder who has not noticed yet
const TAKE_SCRIPT = `
local now = redis.call('TIME')
local claimed = tonumber(redis.call('GET', KEYS[2]))
if not claimed or now[1] * 1000 + math.floor(now[2] / 1000) - claimed < tonumber(ARGV[2]) then return -1 end
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end
return 0`

// after Redis lost its data the holder takes the key again, unless somebody was faster
const RENEW_SCRIPT = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`

/**
 * Runs `action` unless some worker runs it already; then resolves with null. Rejects with QUEUE_UNAVAILABLE while it
 * cannot be known, for a lease after Redis was first used or lost its data. For housekeeping, where twice would be a
 * waste but no harm: databases are protected by leases in the catalog, never by this.
 */
export async function exclusive<Result>(
  redis: Redis,
  key: string,
  leaseMs: number,
  signal: AbortSignal,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | null> {
  const token = randomUUID()
  const taken = await within(redis, `taking ${key}`, () =>
    redis.eval(TAKE_SCRIPT, 2, key, KEYS.claimedAt, token, leaseMs),
  )
  if (taken === -1) throw new AppError('QUEUE_UNAVAILABLE', 'redis is too new to know who holds what')
  if (taken !== 1) return null
  const lost = new AbortController()
  const renew = async (): Promise<void> => {
    const kept = await within(redis, `keeping ${key}`, () =>
      redis.eval(RENEW_SCRIPT, 1, key, token, leaseMs),
    ).catch(() => 1)
    if (kept === 0) lost.abort(new AppError('CANCELLED', 'another worker runs it'))
  }
  const timer = setInterval(() => void renew(), leaseMs / 3)
  try {
    return await action(AbortSignal.any([signal, lost.signal]))
  } finally {
    clearInterval(timer)
    await within(redis, `leaving ${key}`, () => redis.eval(RELEASE_SCRIPT, 1, key, token)).catch(
      () => undefined,
    )
  }
}
