import type { HeldLock, OperationContext, OperationEvents, OperationStore, Progress } from '@holdfast/core'
import { hasCode } from '@holdfast/core'

/** Progress within a phase is written at most so often; a new phase at once. */
const THROTTLE_MS = 250

export interface ReportDeps {
  readonly operations: Pick<OperationStore, 'setProgress'>
  readonly events: OperationEvents
}

export interface ReportListener {
  /** The catalog has it: shown in the dashboard too. */
  written(phase: string, progress: Progress): void
  fenceLost(): void
}

/** A report function as handlers get it, and its end. */
export interface ProgressReporter {
  readonly report: OperationContext['report']
  /** Nothing is written any more once this has resolved; later reports are ignored. */
  close(): Promise<void>
}

/** Writes what is reported, one write at a time and the newest first to hand: reporting never waits and never fails. */
export function createReporter(deps: ReportDeps, held: HeldLock, listener: ReportListener): ProgressReporter {
  let newest: { readonly phase: string; readonly progress: Progress } | null = null
  let lastPhase: string | null = null
  let writing: Promise<void> | null = null
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const write = async (): Promise<void> => {
    if (newest === null) return
    const { phase, progress } = newest
    newest = null
    lastPhase = phase
    try {
      await deps.operations.setProgress(held, phase, progress)
      listener.written(phase, progress)
      // not waited for: the work must not feel whether Redis is there
      deps.events.publish(held.operationId).catch(() => undefined)
    } catch (error) {
      // progress is a comfort: only a lost fence says something about the work
      if (hasCode(error, 'FENCE_LOST') && !closed) listener.fenceLost()
    }
  }
  const plan = (): void => {
    if (closed || newest === null || writing !== null) return
    const isNewPhase = newest.phase !== lastPhase
    if (timer !== undefined && !isNewPhase) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      plan()
    }, THROTTLE_MS)
    writing = write().finally(() => {
      writing = null
      if (newest?.phase !== lastPhase) plan()
    })
  }

  return {
    report(phase, progress) {
      newest = { phase, progress }
      plan()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await writing
    },
  }
}
