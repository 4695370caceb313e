import type { Operation } from '../domain/operation.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Logger } from '../ports/logger.ts'
import type { JobQueue, OperationEvents } from '../ports/queue.ts'

/** What cancelling needs. */
export interface CancelDeps {
  readonly catalog: Pick<Catalog, 'operations'>
  readonly queue: JobQueue
  readonly events: OperationEvents
  readonly log: Logger
}

/**
 * Cancels an operation: at once while it waits, as soon as its worker has cleaned up if it runs. The request is on
 * record before anybody is told, so that it holds even if Redis is away. Rejects with OPERATION_FINISHED.
 */
export async function cancelOperation(deps: CancelDeps, id: string): Promise<Operation> {
  const { operation, next } = await deps.catalog.operations.requestCancel(id)
  const tell = async () => {
    if (operation.state === 'cancelled') await deps.queue.discard(operation)
    else await deps.queue.requestCancel(id)
    if (next !== null) await deps.queue.promote(next)
    await deps.events.publish(id)
  }
  await tell().catch((error) =>
    deps.log.warn({ err: error, operationId: id }, 'cancel left to the lease renewal'),
  )
  return operation
}
