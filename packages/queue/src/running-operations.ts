import { AppError } from '@holdfast/core'

/** Why running work was stopped. The first reason counts. */
export type StopReason = 'cancelled' | 'fence-lost' | 'shutdown'

const REASONS: Readonly<Record<StopReason, () => AppError>> = {
  cancelled: () => new AppError('CANCELLED', 'cancelled on request'),
  'fence-lost': () => new AppError('FENCE_LOST', 'the lease on the database was lost'),
  shutdown: () =>
    new AppError('CANCELLED', 'the worker is stopping; another one takes over', { retryable: true }),
}

/** One piece of running work, and the means to stop it. */
export class StopSwitch {
  readonly #controller = new AbortController()
  readonly #abandoned = new AbortController()
  #reason: StopReason | null = null

  /** Aborted with the AppError of the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get reason(): StopReason | null {
    return this.#reason
  }

  /** Aborted when nobody waits for the work any more: its lease must lapse. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal
  }

  abandon(): void {
    this.#abandoned.abort()
  }

  stop(reason: StopReason): void {
    this.#reason ??= reason
    this.#controller.abort(REASONS[this.#reason]())
  }
}

/** The work that this process does at the moment, by operation. */
export class RunningOperations {
  readonly #switches = new Map<string, Set<StopSwitch>>()
  #stopping = false

  /** True once the process begins no more work. */
  get stopping(): boolean {
    return this.#stopping
  }

  get size(): number {
    return this.#switches.size
  }

  has(operationId: string): boolean {
    return this.#switches.has(operationId)
  }

  add(operationId: string): StopSwitch {
    const added = new StopSwitch()
    const together = this.#switches.get(operationId) ?? new Set()
    this.#switches.set(operationId, together.add(added))
    return added
  }

  remove(operationId: string, removed: StopSwitch): void {
    const together = this.#switches.get(operationId)
    together?.delete(removed)
    if (together?.size === 0) this.#switches.delete(operationId)
  }

  /** A person wants this operation stopped. */
  cancel(operationId: string): void {
    for (const running of this.#switches.get(operationId) ?? []) running.stop('cancelled')
  }

  /** From now on nothing new begins. */
  beginShutdown(): void {
    this.#stopping = true
  }

  /** Stops everything that still runs, to be handed to other workers. */
  handBackAll(): void {
    for (const together of this.#switches.values()) {
      for (const running of together) running.stop('shutdown')
    }
  }
  /** Gives up what did not stop in time: whoever sees its lease lapse takes it over. */
  abandonAll(): void {
    for (const together of this.#switches.values()) {
      for (const running of together) running.abandon()
    }
  }
}
