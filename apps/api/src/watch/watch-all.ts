import type { Operation } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import { Bell } from './bell.ts'
import type { Observation, OperationWatcher } from './watch-operation.ts'
import { NO_EVENT } from './watch-operation.ts'

const POLL_MS = 2000
/** Operations that the poll looks at: what changes is among the newest, and events tell of the rest. */
const POLLED = 100
/** Operations whose change a slow reader may be behind with before it is told to come again. */
const MOST_PENDING = 5000

/**
 * The changes of all operations from now on, or from after `lastEventId`. Each change is told with the newest state,
 * so that a slow reader gets fewer of them; null when nothing changed for a while.
 */
export async function* observeAll(
  watcher: OperationWatcher,
  lastEventId: string | null,
  quietMs: number,
  ended: AbortSignal,
): AsyncGenerator<Observation | null> {
  const changes = new Changes(watcher)
  try {
    await changes.begin(lastEventId)
    let quietSince = watcher.clock.now()
    while (!ended.aborted && !changes.tooMany) {
      const observed = await changes.take()
      yield* observed
      const now = watcher.clock.now()
      if (observed.length > 0) quietSince = now
      else if (now - quietSince >= quietMs) {
        yield null
        quietSince = now
      }
      await changes.bell.wait(Math.min(POLL_MS, quietMs), ended)
    }
  } finally {
    changes.end()
  }
}

/** Gathers what changed: by events, and by looking into the catalog, since events may be lost. */
class Changes {
  readonly bell = new Bell()
  readonly #watcher: OperationWatcher
  /** Operations that changed since they were last told, by the order of their last events. */
  readonly #pending = new Map<string, string>()
  /** What was last told of an operation. */
  readonly #seen = new Map<string, string>()
  readonly #unsubscribe: () => void
  #newestEventId = NO_EVENT
  #polledAt = 0

  constructor(watcher: OperationWatcher) {
    this.#watcher = watcher
    this.#unsubscribe = watcher.events.subscribe((event) => {
      // to the end, so that event ids are told in their order and none is skipped by who resumes
      this.#pending.delete(event.operationId)
      this.#pending.set(event.operationId, event.id)
      this.bell.ring()
    })
  }

  get tooMany(): boolean {
    return this.#pending.size > MOST_PENDING
  }

  async begin(lastEventId: string | null): Promise<void> {
    for (const operation of await this.#poll()) this.#isNews(operation)
    if (lastEventId === null) return
    this.#newestEventId = lastEventId
    const arrived = [...this.#pending]
    this.#pending.clear()
    for (const event of await this.#watcher.events.since(lastEventId)) {
      this.#seen.delete(event.operationId)
      this.#pending.delete(event.operationId)
      this.#pending.set(event.operationId, event.id)
    }
    for (const [operationId, eventId] of arrived) {
      this.#pending.delete(operationId)
      this.#pending.set(operationId, eventId)
    }
  }

  async take(): Promise<readonly Observation[]> {
    const observed = await this.#takePending()
    if (this.#watcher.clock.now() - this.#polledAt < POLL_MS) return observed
    const polled = await this.#poll()
    for (const operation of polled) {
      if (this.#isNews(operation)) observed.push({ eventId: this.#newestEventId, operation })
    }
    const kept = new Set(polled.map((operation) => operation.id))
    for (const id of this.#seen.keys()) if (!kept.has(id)) this.#seen.delete(id)
    return observed
  }

  end(): void {
    this.#unsubscribe()
  }

  async #takePending(): Promise<Observation[]> {
    const taken = [...this.#pending]
    this.#pending.clear()
    const observed: Observation[] = []
    for (const [operationId, eventId] of taken) {
      this.#newestEventId = eventId
      const operation = await this.#find(operationId)
      if (operation && this.#isNews(operation)) observed.push({ eventId, operation })
    }
    return observed
  }

  async #find(id: string): Promise<Operation | null> {
    try {
      return await this.#watcher.operations.get(id)
    } catch (error) {
      // an event of another catalog that used this Redis before
      if (hasCode(error, 'OPERATION_NOT_FOUND')) return null
      throw error
    }
  }

  /** The newest operations, the oldest of them first. */
  async #poll(): Promise<readonly Operation[]> {
    this.#polledAt = this.#watcher.clock.now()
    const { items } = await this.#watcher.operations.list({}, { limit: POLLED, cursor: null })
    return items.toReversed()
  }

  #isNews(operation: Operation): boolean {
    const state = JSON.stringify(operation)
    const changed = this.#seen.get(operation.id) !== state
    this.#seen.set(operation.id, state)
    return changed
  }
}
