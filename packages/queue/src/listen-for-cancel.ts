import type { Logger, OperationStore } from '@holdfast/core'
import { toFailure } from '@holdfast/core'
import { connectRedis } from './connect-redis.ts'
import { KEYS } from './names.ts'
import type { RunningOperations } from './running-operations.ts'

export interface CancelListenerDeps {
  readonly redisUrl: string
  readonly operations: Pick<OperationStore, 'get'>
  readonly running: RunningOperations
  readonly log: Logger
}

/** Stops running work as soon as a person wants it. A message that is lost is noticed at the next lease renewal. */
export function listenForCancel(deps: CancelListenerDeps): { stop(): void } {
  const { running, log } = deps
  const redis = connectRedis(deps.redisUrl, 'subscriber', log)
  const consider = async (operationId: string): Promise<void> => {
    if (!running.has(operationId)) return
    try {
      // the flag in the catalog counts, not the message
      const operation = await deps.operations.get(operationId)
      if (operation.cancelRequested) running.cancel(operationId)
    } catch (error) {
      log.debug({ operationId, code: toFailure(error).code }, 'cancel left to the lease renewal')
    }
  }
  redis.on('message', (_channel, operationId) => void consider(operationId))
  // subscribed again by itself whenever the connection comes back
  redis.subscribe(KEYS.cancel).catch(() => undefined)
  return {
    stop() {
      redis.disconnect()
    },
  }
}
