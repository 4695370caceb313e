import type { AcceptDeps, DispatchDeps } from '@holdfast/core'
import { AppError, acceptRetention, dispatch, toFailure } from '@holdfast/core'
import type { Job, Queue } from 'bullmq'
import { DelayedError, WaitingError } from 'bullmq'
import type { Redis } from 'ioredis'
import { exclusive } from './exclusive.ts'
import { keepJobLock } from './job-lock.ts'
import { KEEP_FINISHED } from './job-queue.ts'
import { KEYS } from './names.ts'
import { refusal } from './refusal.ts'

/** Ticks of the maintenance queue. */
const TICKS = ['sweep', 'retention'] as const
type Tick = (typeof TICKS)[number]

const RETRY_MS = 2_000

/** Removes leftovers; resolves with a summary for the dashboard. */
export type Sweep = (signal: AbortSignal) => Promise<Readonly<Record<string, unknown>>>

export interface MaintenanceDeps extends DispatchDeps {
  readonly accept: AcceptDeps
  readonly sweep: Sweep
  readonly leaseMs: number
  /** The connection of the BullMQ workers. */
  readonly redis: Redis
  /** The connection that would rather fail than wait. */
  readonly control: Redis
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal
}

/** Makes sure that every tick is scheduled. Cheap when it is: two reads. */
export async function scheduleMaintenance(queue: Queue, everyMs: number): Promise<void> {
  for (const tick of TICKS) {
    const scheduler = await queue.getJobScheduler(tick)
    // upserting moves the next tick, so that workers which restart often would push it before them for ever
    if (scheduler?.every === everyMs) continue
    await queue.upsertJobScheduler(
      tick,
      { every: everyMs },
      {
        name: tick,
        data: { v: 1 },
        opts: { removeOnComplete: { count: 50 }, removeOnFail: KEEP_FINISHED, stackTraceLimit: 0 },
      },
    )
  }
}

/** The processor of the maintenance queue: a tick sweeps, or asks for a run of retention. */
export function maintenanceProcessor(deps: MaintenanceDeps) {
  return async (job: Job, token = ''): Promise<unknown> => {
    if (deps.stopping.aborted) {
      await job.moveToWait(token)
      throw new WaitingError()
    }
    const lock = keepJobLock(job, token, deps.leaseMs, deps.redis)
    try {
      return await carryOutTick(deps, requireTick(job.name))
    } catch (error) {
      if (deps.stopping.aborted) {
        await job.moveToWait(token)
        throw new WaitingError()
      }
      if (error instanceof AppError && error.retryable) {
        await job.moveToDelayed(Date.now() + RETRY_MS, token)
        throw new DelayedError()
      }
      deps.log.error({ err: error, tick: job.name }, 'maintenance failed')
      throw refusal(toFailure(error))
    } finally {
      lock.stop()
    }
  }
}

async function carryOutTick(deps: MaintenanceDeps, tick: Tick): Promise<unknown> {
  if (tick === 'retention') {
    const caller = { actor: 'schedule', idempotencyKey: null, job: null }
    const { operation, coalesced } = await dispatch(deps, () => acceptRetention(deps.accept, caller))
    return { operationId: operation.id, coalesced }
  }
  const { control, leaseMs, stopping, sweep } = deps
  const summary = await exclusive(control, KEYS.maintenance(tick), leaseMs, stopping, sweep)
  return summary ?? { skipped: 'another worker sweeps' }
}

function requireTick(name: string): Tick {
  const tick = TICKS.find((known) => known === name)
  if (tick !== undefined) return tick
  throw new AppError('INVALID_REQUEST', `a maintenance job must be called ${TICKS.join(' or ')}`, {
    hint: 'these jobs are made by workers; other producers use the other queues',
  })
}
