import { AppError } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { within } from './within.ts'

/**
 * Makes sure that this Redis serves this catalog: whoever comes first writes the catalog's id, and after Redis lost
 * its data again. Rejects with CATALOG_MISMATCH if it serves another one, or with QUEUE_UNAVAILABLE.
 */
export async function claimRedis(redis: Redis, catalogId: string): Promise<void> {
  const owner = await within(redis, 'claiming redis', async () => {
    await redis.setnx(KEYS.catalog, catalogId)
    return redis.get(KEYS.catalog)
  })
  if (owner === catalogId) return
  throw new AppError('CATALOG_MISMATCH', 'this Redis holds the jobs of another catalog', {
    hint: `give each catalog a Redis database of its own, or delete the key ${KEYS.catalog} if that catalog is gone`,
  })
}
