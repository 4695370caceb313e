import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openCatalog } from '@holdfast/catalog'
import type {
  AcceptDeps,
  Accepted,
  BackupBody,
  BackupOutcome,
  Catalog,
  Logger,
  Operation,
} from '@holdfast/core'
import { AppError, acceptBackup, dispatch, isoNow, systemClock } from '@holdfast/core'
import type { BullJobQueue } from '@holdfast/queue'
import { connectRedis, createJobQueue, createOperationEvents } from '@holdfast/queue'
import type { TestRedis } from '@holdfast/queue/testing'
import { startTestRedis } from '@holdfast/queue/testing'

const WORKER = fileURLToPath(new URL('./queue-worker.ts', import.meta.url))
const STARTED_MS = 45_000

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** What a backup of the test does instead, told in its note. */
export interface Task {
  readonly ms: number
  readonly throws?: 'unreachable' | 'bug'
}

/** A line that a handler of some worker has written. */
export interface RunRecord {
  readonly event: 'start' | 'end' | 'aborted' | 'threw' | 'settle'
  readonly id: string
  readonly seq: number
  readonly lockKey: string
  readonly attempts: number
  readonly takenOver: boolean
  readonly fence: number
  readonly worker: number
  /** Microseconds of the machine's monotonic clock, equal for all processes. */
  readonly at: number
}

export interface FleetWorker {
  readonly pid: number
  readonly child: ChildProcess
  output(): string
  /** Sends the signal and waits for the process to end. */
  end(signal: NodeJS.Signals): Promise<void>
}

/** Workers with handlers that note when they ran, on a catalog and a Redis of their own. */
export interface QueueFleet {
  readonly redis: TestRedis
  readonly catalog: Catalog
  readonly catalogFile: string
  readonly queue: BullJobQueue
  startWorker(): Promise<FleetWorker>
  readonly workers: readonly FleetWorker[]
  /** Registers targets that name these databases. */
  register(targets: Readonly<Record<string, string>>): Promise<void>
  /** Asks for a backup as HTTP does. */
  request(target: string, task: Task, body?: Partial<BackupBody>): Promise<Accepted>
  records(): Promise<readonly RunRecord[]>
  /** Waits until all of these are finished, and returns them. */
  finished(ids: readonly string[], limitMs: number): Promise<readonly Operation[]>
  stop(): Promise<void>
}

export async function startFleet(options: {
  readonly workers: number
  readonly leaseMs?: number
  readonly concurrency?: number
  readonly redisDown?: boolean
}): Promise<QueueFleet> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'))
  const recordFile = join(directory, 'records')
  await writeFile(recordFile, '')
  const redis = await startTestRedis()
  const catalogFile = join(directory, 'catalog.db')
  const catalogUrl = `sqlite:${catalogFile}`
  // on a busy machine many workers may be before us
  const catalog = await openCatalog({ url: catalogUrl, clock: systemClock, busyTimeoutMs: 20_000 })
  const queue = createJobQueue({ redisUrl: redis.url, log: silent })
  const control = connectRedis(redis.url, 'producer', silent)
  const workers: FleetWorker[] = []
  const env = {
    PATH: process.env.PATH,
    CATALOG_URL: catalogUrl,
    REDIS_URL: redis.url,
    RECORD_FILE: recordFile,
    LEASE_MS: String(options.leaseMs ?? 2_000),
    CONCURRENCY: String(options.concurrency ?? 4),
  }
  if (options.redisDown === true) await redis.down()
  const startWorker = async () => {
    const worker = await launch(env)
    workers.push(worker)
    return worker
  }
  const fleet: QueueFleet = {
    redis,
    catalog,
    catalogFile,
    queue,
    startWorker,
    workers,
    async register(targets) {
      for (const [name, lockKey] of Object.entries(targets)) {
        await catalog.targets.add({
          ...{ name, lockKey, engine: 'sqlite', environment: null, labels: {}, options: {} },
          ...{ sealedUrl: 'sealed', displayUrl: `sqlite:///${name}` },
        })
      }
    },
    request(target, task, body = {}) {
      const events = createOperationEvents(control)
      const caller = { actor: 'test', idempotencyKey: null, job: null }
      return dispatch({ queue, events, log: silent }, () =>
        acceptBackup(acceptDeps(catalog), { target, note: JSON.stringify(task), ...body }, caller),
      )
    },
    async records() {
      const lines = (await readFile(recordFile, 'utf8')).split('\n').filter((line) => line !== '')
      return lines.map((line) => JSON.parse(line))
    },
    async finished(ids, limitMs) {
      const deadline = performance.now() + limitMs
      for (;;) {
        const unfinished = new Set(
          (await catalog.operations.listUnfinished()).map(({ operation }) => operation.id),
        )
        if (!ids.some((id) => unfinished.has(id))) break
        if (performance.now() > deadline) {
          const open = ids.filter((id) => unfinished.has(id))
          const output = workers.map((worker) => worker.output()).join('\n---\n')
          throw new Error(`${open.length} of ${ids.length} operations did not finish: ${open[0]}\n${output}`)
        }
        await sleep(50)
      }
      return await Promise.all(ids.map((id) => catalog.operations.get(id)))
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.end('SIGKILL')))
      await queue.close()
      control.disconnect()
      await catalog.close()
      await redis.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  const launched = await Promise.allSettled(Array.from({ length: options.workers }, startWorker))
  const failure = launched.find((launch) => launch.status === 'rejected')
  if (failure === undefined) return fleet
  await fleet.stop()
  throw failure.reason
}

/** For recording requests that name registered targets only. */
export function acceptDeps(catalog: Catalog): AcceptDeps {
  return {
    catalog,
    clock: systemClock,
    storages: { names: ['default'] },
    seal: { seal: (plain) => plain, open: (sealed) => sealed },
    drivers: {
      forUrl() {
        throw new AppError('UNSUPPORTED_ENGINE', 'the test has no engines')
      },
      byEngine: (engine) => ({
        engine,
        formats: [{ name: 'sqlite', extension: 'sqlite', streams: false }],
        supports: { globals: false, filter: false, snapshot: true, definers: false },
        servers: null,
      }),
    },
  }
}

/** A completed backup in which there is nothing. */
export function factsOfNothing(backupId: string): BackupOutcome {
  const at = isoNow(systemClock)
  return {
    kind: 'completed',
    facts: {
      ...{ format: 'sqlite', sizeBytes: 0, storedBytes: 0, recordCount: 0, rowCounts: {}, fileCount: 0 },
      counting: 'exact',
      ...{ serverVersion: '3', toolVersion: '1', storagePath: `t/${backupId}`, checksum: '0'.repeat(64) },
      ...{
        warnings: [],
        suspicious: false,
        completedAt: at,
        consistentAt: at,
        durationMs: 1,
        engineDetails: {},
      },
    },
    verification: { level: 'structure', valid: true, message: 'ok', at },
    expiresAt: null,
  }
}

/** True once the condition holds; fails after `limitMs`. */
export async function until(what: string, limitMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(20)
  }
}

async function launch(env: NodeJS.ProcessEnv): Promise<FleetWorker> {
  const child = fork(WORKER, { env, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const exited = once(child, 'exit')
  const started = once(child, 'message', { signal: AbortSignal.timeout(STARTED_MS) })
  const why = await Promise.race([started, exited]).then(
    () => (child.exitCode === null ? null : 'it ended'),
    () => `not within ${STARTED_MS} ms`,
  )
  if (why !== null || child.pid === undefined) {
    child.kill('SIGKILL')
    throw new Error(`the worker did not start, ${why}: ${output}`)
  }
  return {
    pid: child.pid,
    child,
    output: () => output,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill(signal)
      await exited
    },
  }
}
