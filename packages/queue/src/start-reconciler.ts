import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@holdfast/core'
import { AppError, toFailure } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { KEYS } from './names.ts'
import { createOutageLog } from './outage-log.ts'
import type { ReconcileDeps, Reconciled } from './reconcile.ts'
import { reconcile } from './reconcile.ts'
import { within } from './within.ts'

export interface ReconcilerOptions extends ReconcileDeps {
  readonly redis: Redis
  readonly workerId: string
  readonly leaseMs: number
  /** Makes sure that Redis is ours and that the schedulers are there. Rejecting leaves the rest for the next round. */
  readonly prepare: () => Promise<void>
  /** Told after each round, good or bad. */
  readonly done: () => void
  readonly ping: () => Promise<void>
  readonly log: Logger
}

export interface Reconciler {
  /** True if the last round came through: Redis and catalog answered. */
  isHealthy(): boolean
  /** Does a round at once instead of waiting for its time. */
  hurry(): void
  stop(): void
}

/** Reconciles at once and then about twice per lease; one worker of the fleet does it in each interval. */
export function startReconciler(options: ReconcilerOptions): Reconciler {
  const { redis, workerId, log } = options
  const intervalMs = Math.max(options.leaseMs / 2, 1_000)
  const stopping = new AbortController()
  const outage = createOutageLog(log, 'reconciling')
  let healthy = false
  let woken = new AbortController()

  const round = async (isFirst: boolean): Promise<void> => {
    try {
      await options.prepare()
      const turn = await within(redis, 'taking a turn', () =>
        redis.set(KEYS.reconciler, workerId, 'PX', Math.floor(intervalMs * 0.8), 'NX'),
      )
      if (turn === 'OK' || isFirst) logWork(log, await reconcile(options))
      else await options.ping()
      outage.worked()
      healthy = true
    } catch (error) {
      healthy = false
      outage.failed(describe(error))
      if (!(error instanceof AppError)) log.error({ err: error }, 'reconciling met a bug')
    }
  }
  const loop = async (): Promise<void> => {
    for (let rounds = 0; !stopping.signal.aborted; rounds += 1) {
      await round(rounds === 0)
      options.done()
      // not all workers at the same moment
      const pauseMs = healthy ? intervalMs * (0.8 + Math.random() * 0.4) : 1_000
      const signal = AbortSignal.any([stopping.signal, woken.signal])
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      woken = woken.signal.aborted ? new AbortController() : woken
    }
  }
  void loop()

  return {
    isHealthy: () => healthy,
    hurry: () => woken.abort(),
    stop: () => stopping.abort(),
  }
}

function logWork(log: Logger, { enqueued, promoted }: Reconciled): void {
  if (enqueued > 0) log.info({ enqueued, promoted }, 'enqueued what the catalog had accepted')
}

function describe(error: unknown): string {
  const { code, detail } = toFailure(error)
  return `${code}: ${detail}`
}
