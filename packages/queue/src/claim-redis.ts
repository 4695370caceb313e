import { AppError } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { within } from './within.ts'

const CLAIM_SCRIPT = `
if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
  local now = redis.call('TIME')
  redis.call('SET', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000))
end
return redis.call('GET', KEYS[1])`

/**
 * Makes sure that this Redis serves this catalog: whoever comes first writes the catalog's id, and after Redis lost
 * its data again. Rejects with CATALOG_MISMATCH if it serves another one, or with QUEUE_UNAVAILABLE.
 */
export async function claimRedis(redis: Redis, catalogId: string): Promise<void> {
  const owner = await within(redis, 'claiming redis', () =>
    redis.eval(CLAIM_SCRIPT, 2, KEYS.catalog, KEYS.claimedAt, catalogId),
  )
  if (owner === catalogId) return
  throw new AppError('CATALOG_MISMATCH', 'this Redis holds the jobs of another catalog', {
    hint: `give each catalog a Redis database of its own, or delete the key ${KEYS.catalog} if that catalog is gone`,
  })
}
