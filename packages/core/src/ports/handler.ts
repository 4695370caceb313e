import type { Operation, Progress } from '../domain/operation.ts'
import type { Failure } from '../errors.ts'
import type { HeldLock, OperationEnd, Pause } from './catalog.ts'
import type { JobQueue, OperationEvents } from './queue.ts'

/** What a handler may know and use while it carries out one operation. */
export interface OperationContext {
  readonly operation: Operation
  readonly held: HeldLock
  /** An earlier worker began this operation and was lost. */
  readonly takenOver: boolean
  /** Aborted with an AppError as its reason: CANCELLED (by a person), FENCE_LOST, or CANCELLED by shutdown. */
  readonly signal: AbortSignal
  /** Cheap to call often: it is throttled. */
  readonly report: (phase: string, progress: Progress) => void
  /** Where operations that this one begins or cancels go on to. */
  readonly queue: JobQueue
  readonly events: OperationEvents
}

/**
 * Nothing to do for now: the work goes on by itself elsewhere, as the journal says. The operation holds nothing and
 * occupies no worker until its handler is called again.
 */
export interface OperationPause extends Pause {
  readonly state: 'waiting'
}

/** Carries out one type of operation. Knows no queue: the worker calls it while it holds the database's lock. */
export interface OperationHandler {
  /**
   * Does the work and returns how it ended well; the caller writes that under the fence. Safe to run again after
   * a crash at any moment. Throws what went wrong; may leave leftovers then, which `settle` removes.
   */
  run(context: OperationContext): Promise<OperationEnd | OperationPause>
  /**
   * Finishes or reverses what `run` began, and returns how the operation ended: usually as `failure` (CANCELLED
   * makes it cancelled), but a swap that had to be carried to its end is reported as completed.
   */
  settle(context: OperationContext, failure: Failure): Promise<OperationEnd | OperationPause>
  /** False as long as there is nothing to do for an operation that paused. Asked often, and changes nothing. */
  isDue?(operation: Operation): Promise<boolean>
}
