import type { OperationEvents } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { within } from './within.ts'

/** Kept in the stream at least; who missed more looks into the catalog. */
const KEPT_EVENTS = 10_000

/** Tells watchers through a Redis stream. `publish` rejects with QUEUE_UNAVAILABLE within 3 s. */
export function createOperationEvents(redis: Redis): OperationEvents {
  return {
    async publish(operationId) {
      await within(redis, 'publishing an event', () =>
        redis.xadd(KEYS.events, 'MAXLEN', '~', KEPT_EVENTS, '*', 'operationId', operationId),
      )
    },
  }
}
