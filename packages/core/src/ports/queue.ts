import type { Operation } from '../domain/operation.ts'

/** Work in flight. It may be lost at any time: the catalog enqueues again what it has accepted. */
export interface JobQueue {
  /** Adds the job of an accepted operation. Rejects with QUEUE_UNAVAILABLE within 3 s. */
  enqueue(operation: Pick<Operation, 'id' | 'type' | 'jobId'>): Promise<void>
  /** Moves a parked job to the front, if it is parked. */
  promote(operation: Pick<Operation, 'id' | 'type' | 'jobId'>): Promise<void>
  /** Tells whichever worker runs this operation that cancelling was requested. */
  requestCancel(operationId: string): Promise<void>
  /** Removes the job of an operation that was cancelled before it began. */
  discard(operation: Pick<Operation, 'id' | 'type' | 'jobId'>): Promise<void>
  /** Rejects with QUEUE_UNAVAILABLE within 3 s if Redis does not answer. */
  ping(): Promise<void>
}

/** One change of an operation, as told to watchers. The catalog has the whole truth. */
export interface OperationEvent {
  /** Position in the stream of events; usable to resume. */
  readonly id: string
  readonly operationId: string
}

/** Tells watchers that an operation changed. Losing one is harmless: watchers also poll. */
export interface OperationEvents {
  publish(operationId: string): Promise<void>
}
