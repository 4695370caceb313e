import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type {
  AcceptDeps,
  Catalog,
  Clock,
  Logger,
  Operation,
  OperationHandler,
  OperationType,
  QueueName,
} from '@holdfast/core'
import { AppError, hasCode } from '@holdfast/core'
import type { Job, Processor, Worker } from 'bullmq'
import { DelayedError } from 'bullmq'
import type { Redis } from 'ioredis'
import { createBullWorker } from './bull-workers.ts'
import { claimRedis } from './claim-redis.ts'
import { closeWorkers } from './close-workers.ts'
import { connectRedis } from './connect-redis.ts'
import { inspectRedis } from './inspect-redis.ts'
import type { BullJobQueue } from './job-queue.ts'
import { createJobQueue } from './job-queue.ts'
import { listenForCancel } from './listen-for-cancel.ts'
import type { Sweep } from './maintenance.ts'
import { maintenanceProcessor, scheduleMaintenance } from './maintenance.ts'
import { MAINTENANCE_QUEUE } from './names.ts'
import { createOperationEvents } from './operation-events.ts'
import { jobProcessor } from './process-job.ts'
import { RunningOperations } from './running-operations.ts'
import type { Reconciler } from './start-reconciler.ts'
import { startReconciler } from './start-reconciler.ts'
import { within } from './within.ts'
import type { Heartbeat } from './worker-heartbeat.ts'
import { startHeartbeat } from './worker-heartbeat.ts'

const MAINTENANCE_EVERY_MS = 10 * 60_000
/** A job that came while Redis belongs to another catalog is looked at again so soon. */
const REFUSED_MS = 1_000

export interface OperationWorkersOptions {
  readonly redisUrl: string
  readonly catalog: Pick<Catalog, 'id' | 'operations' | 'ping'>
  /** How requests of other producers are recorded. */
  readonly accept: AcceptDeps
  readonly handlers: Readonly<Record<OperationType, OperationHandler>>
  /** The strongest identity of the database that an operation works on, as far as it can be found out now. */
  readonly lockKeyOf: (operation: Operation) => Promise<string>
  readonly sweep: Sweep
  /** Jobs at the same time, for each queue. */
  readonly concurrency: number
  readonly queues: readonly QueueName[]
  readonly leaseMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly maintenanceEveryMs?: number
}

/** The workers of this process. */
export interface OperationWorkers {
  readonly id: string
  /** True while it takes jobs: Redis and catalog answered lately, and Redis belongs to the catalog. */
  isHealthy(): boolean
  /** How many operations run here at the moment. */
  running(): number
  /**
   * Takes no more jobs, lets running work go on for `graceMs`, then stops it and hands it back. Resolves within
   * `graceMs` and 4 s, whatever Redis and the catalog do.
   */
  close(options: { readonly graceMs: number }): Promise<void>
}

/**
 * Starts taking jobs. Redis may be away: then jobs are taken once it is there. Rejects with CATALOG_MISMATCH if Redis
 * belongs to another catalog.
 */
export async function startOperationWorkers(options: OperationWorkersOptions): Promise<OperationWorkers> {
  const { log, catalog } = options
  const fleet = new Fleet(options)
  try {
    await claimRedis(fleet.control, catalog.id)
  } catch (error) {
    if (!hasCode(error, 'QUEUE_UNAVAILABLE')) {
      await fleet.close({ graceMs: 0 })
      throw error
    }
    log.warn({ reason: error.message }, 'redis is away, will begin when it is there')
  }
  fleet.start()
  return fleet
}

async function warnAboutRedis(control: Redis, log: Logger): Promise<void> {
  const { version, warnings } = await inspectRedis(control)
  for (const warning of warnings)
    log.warn({ version, warning }, 'redis is not set up for work that must not be lost')
}

class Fleet implements OperationWorkers {
  readonly id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
  /** Would rather fail than wait. */
  readonly control: Redis
  readonly #options: OperationWorkersOptions
  readonly #queue: BullJobQueue
  readonly #running = new RunningOperations()
  readonly #stopping = new AbortController()
  /** Waits for Redis as long as it takes. */
  readonly #patient: Redis
  readonly #cancels: { stop(): void }
  #workers: readonly Worker[] = []
  #reconciler: Reconciler | null = null
  #heartbeat: Heartbeat | null = null
  #closing: Promise<void> | null = null
  #mismatch = false

  constructor(options: OperationWorkersOptions) {
    const { redisUrl, log, catalog } = options
    this.#options = options
    this.control = connectRedis(redisUrl, 'producer', log)
    this.#patient = connectRedis(redisUrl, 'worker', log)
    this.#queue = createJobQueue({ redisUrl, log })
    this.#cancels = listenForCancel({
      redisUrl,
      log,
      running: this.#running,
      operations: catalog.operations,
    })
  }

  start(): void {
    const { catalog, leaseMs, log } = this.#options
    const reconciler = startReconciler({
      operations: catalog.operations,
      queue: this.#queue,
      redis: this.control,
      workerId: this.id,
      leaseMs,
      log,
      prepare: () => this.#prepare(),
      ping: () => catalog.ping(),
      done: () => heartbeat.beat(),
    })
    const heartbeat = startHeartbeat(this.control, this.id, {
      isAble: () => this.isHealthy(),
      forgotten: () => reconciler.hurry(),
    })
    this.#reconciler = reconciler
    this.#heartbeat = heartbeat
    this.control.on('ready', () => reconciler.hurry())
  }

  isHealthy(): boolean {
    const isTaking = this.#workers.length > 0 && !this.#running.stopping && !this.#mismatch
    return isTaking && this.#patient.status === 'ready' && this.#reconciler?.isHealthy() === true
  }

  running(): number {
    return this.#running.size
  }

  close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    this.#running.beginShutdown()
    this.#stopping.abort(new AppError('CANCELLED', 'the worker is stopping'))
    this.#reconciler?.stop()
    await Promise.all([
      this.#heartbeat?.stop(),
      closeWorkers(this.#workers, { graceMs, running: this.#running }),
    ])
    this.#cancels.stop()
    await this.#queue.close()
    this.control.disconnect()
    this.#patient.disconnect()
  }

  /** Before each round of reconciling: Redis may have lost everything, or come up for the first time. */
  async #prepare(): Promise<void> {
    const { catalog, log, maintenanceEveryMs = MAINTENANCE_EVERY_MS } = this.#options
    try {
      await claimRedis(this.control, catalog.id)
    } catch (error) {
      if (hasCode(error, 'CATALOG_MISMATCH')) this.#refuseWork(error)
      throw error
    }
    const maintenance = this.#queue.queues.find((queue) => queue.name === MAINTENANCE_QUEUE)
    if (maintenance !== undefined) {
      await within(this.control, 'scheduling', () => scheduleMaintenance(maintenance, maintenanceEveryMs))
    }
    if (this.#running.stopping) return
    if (this.#workers.length === 0) {
      await warnAboutRedis(this.control, log)
      this.#takeJobs()
    }
    if (!this.#mismatch) return
    this.#mismatch = false
    await Promise.all(this.#workers.map((worker) => worker.resume()))
    log.info({}, 'redis belongs to this catalog again, taking jobs')
  }

  #refuseWork(error: AppError): void {
    if (!this.#mismatch) this.#options.log.error({ err: error }, 'taking no jobs')
    this.#mismatch = true
    for (const worker of this.#workers) void worker.pause(true)
  }

  #takeJobs(): void {
    const { catalog, queues, concurrency, leaseMs, log } = this.#options
    const shared = {
      ...this.#options,
      operations: catalog.operations,
      queue: this.#queue,
      events: createOperationEvents(this.control),
      running: this.#running,
      redis: this.#patient,
      control: this.control,
      stopping: this.#stopping.signal,
    }
    const options = { redis: this.#patient, workerId: this.id, leaseMs, log }
    this.#workers = queues.map((name) =>
      name === MAINTENANCE_QUEUE
        ? createBullWorker(name, this.#guard(maintenanceProcessor(shared)), { ...options, concurrency: 1 })
        : createBullWorker(name, this.#guard(jobProcessor(shared, name)), { ...options, concurrency }),
    )
    for (const worker of this.#workers) {
      worker.run().catch((error) => log.error({ err: error, queue: worker.name }, 'a queue worker ended'))
    }
    log.info({ queues, workerId: this.id }, 'taking jobs')
  }

  /** A paused BullMQ worker may still take the one job that it was waiting for. */
  #guard(processor: (job: Job, token?: string) => Promise<unknown>): Processor {
    return async (job, token) => {
      if (!this.#mismatch) return processor(job, token)
      await job.moveToDelayed(Date.now() + REFUSED_MS, token)
      throw new DelayedError()
    }
  }
}
