import type {
  Clock,
  JobQueue,
  Logger,
  NextInLine,
  Operation,
  OperationEvents,
  OperationHandler,
  OperationStore,
  OperationType,
  Progress,
} from '@holdfast/core'
import { toFailure } from '@holdfast/core'
import type { RunningOperations } from './running-operations.ts'

const LONGEST_WAIT_MS = 30_000
const SHORTEST_WAIT_MS = 200
/** How often it is looked whether an operation that paused can go on; it is also woken when it can. */
export const PAUSED_MS = 1_000

/** What carrying out an operation needs. Knows nothing of jobs. */
export interface CarryOutDeps {
  readonly operations: OperationStore
  readonly queue: JobQueue
  readonly events: OperationEvents
  readonly handlers: Readonly<Record<OperationType, OperationHandler>>
  readonly lockKeyOf: (operation: Operation) => Promise<string>
  readonly running: RunningOperations
  readonly leaseMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** How an operation ended. */
export type Ending = Pick<Operation, 'state' | 'result' | 'error'>

/** What became of one try to carry out an operation. */
export type Outcome =
  | { readonly kind: 'ended'; readonly ending: Ending }
  /** Not now. `lockKey` is set if the operation stands in line for it. */
  | { readonly kind: 'wait'; readonly retryInMs: number; readonly lockKey: string | null }
  /** This process is stopping: any other worker may begin at once. */
  | { readonly kind: 'handed-back' }

export type ProgressListener = (phase: string, progress: Progress) => void

/** Wakes whoever is next. Failing is harmless: the reconciler does it again. */
export async function promoteNext(
  deps: Pick<CarryOutDeps, 'queue' | 'log'>,
  next: NextInLine | null,
): Promise<void> {
  if (next === null) return
  try {
    await deps.queue.promote(next)
  } catch (error) {
    deps.log.debug({ operationId: next.id, code: toFailure(error).code }, 'promotion left to reconciling')
  }
}

/** Wakes the group of a member that ended. Failing is harmless: the group looks for itself. */
export async function wakeGroup(
  deps: Pick<CarryOutDeps, 'operations' | 'queue' | 'log'>,
  { id, request }: Operation,
): Promise<void> {
  const groupId = request.type === 'backup' ? request.groupId : null
  // requests recorded by the first release do not have it
  if (groupId === null || groupId === undefined) return
  try {
    await deps.queue.promote(await deps.operations.get(groupId))
  } catch (error) {
    deps.log.debug({ operationId: id, code: toFailure(error).code }, 'waking its group failed')
  }
}

/** Tells watchers that the operation changed. Failing is harmless: they also poll. */
export function announce(deps: Pick<CarryOutDeps, 'events'>, operationId: string): void {
  deps.events.publish(operationId).catch(() => undefined)
}

export function ended({ state, result, error }: Ending): Outcome {
  return { kind: 'ended', ending: { state, result, error } }
}

export function waitFor(retryInMs: number, lockKey: string | null = null): Outcome {
  const bounded = Math.min(Math.max(retryInMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS)
  return { kind: 'wait', retryInMs: bounded, lockKey }
}
