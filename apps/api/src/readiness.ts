import type { Catalog, Clock, JobQueue, StorageRegistry } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { withinTime } from './http/deadline.ts'

/** What the service needs to do its work, and whether it can be used now. */
export interface Readiness {
  readonly ready: boolean
  readonly parts: {
    readonly catalog: boolean
    readonly redis: boolean
    readonly storage: boolean
    readonly worker: boolean
  }
}

/** Which workers are alive. */
export interface LiveWorkers {
  /** Rejects with QUEUE_UNAVAILABLE within 3 s. */
  count(): Promise<number>
}

export interface ReadinessDeps {
  readonly catalog: Pick<Catalog, 'ping'>
  readonly queue: Pick<JobQueue, 'ping'>
  readonly storages: Pick<StorageRegistry, 'list'>
  readonly workers: LiveWorkers
  readonly clock: Clock
}

const PART_MS = 2500
/** The probe needs no key: this keeps it from being a lever. */
const FRESH_MS = 500

/** Asks every part, each in bounded time. Answers asked for at about the same time share one look. */
export function readinessProbe(deps: ReadinessDeps): () => Promise<Readiness> {
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null
  return () => {
    const now = deps.clock.now()
    if (last === null || now - last.at > FRESH_MS || now < last.at) last = { at: now, answer: look(deps) }
    return last.answer
  }
}

async function look(deps: ReadinessDeps): Promise<Readiness> {
  const [catalog, redis, storage, worker] = await Promise.all([
    works(() => deps.catalog.ping()),
    works(() => deps.queue.ping()),
    works(async () => {
      for (const storage of await deps.storages.list()) await storage.check()
    }),
    works(async () => {
      if ((await deps.workers.count()) === 0) throw new AppError('QUEUE_UNAVAILABLE', 'no worker is alive')
    }),
  ])
  return { ready: catalog && redis && storage && worker, parts: { catalog, redis, storage, worker } }
}

/** Why a part cannot be used is for the log of who uses it: a probe without a key tells nothing. */
async function works(use: () => Promise<void>): Promise<boolean> {
  const tooSlow = new AppError('INTERNAL', 'no answer in time')
  return withinTime(PART_MS, tooSlow, use).then(
    () => true,
    () => false,
  )
}
