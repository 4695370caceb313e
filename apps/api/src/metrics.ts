import type { Catalog, Clock } from '@holdfast/core'
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { LiveWorkers } from './readiness.ts'

/** Jobs by queue and state. */
export interface QueueCounts {
  /** Rejects with QUEUE_UNAVAILABLE within 3 s. */
  counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>
}

export interface MetricsDeps {
  readonly catalog: Pick<Catalog, 'stats'>
  readonly queue: QueueCounts
  readonly workers: LiveWorkers
  readonly clock: Clock
}

export interface Metrics {
  readonly contentType: string
  /** Asks catalog and Redis; a part that cannot be asked shows as `holdfast_part_up` 0. */
  render(): Promise<string>
  /** Measures every request of the application from now on. */
  observe(app: FastifyInstance): void
}

/** `process` adds the figures of the Node.js process; one set of metrics a process may have them. */
export function createMetrics(deps: MetricsDeps, options: { readonly process: boolean }): Metrics {
  const registry = new Registry()
  if (options.process) collectDefaultMetrics({ register: registry })
  const gauges = makeGauges(registry)
  const requests = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'Time until an answer was sent, by route',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  })
  return {
    contentType: registry.contentType,
    async render() {
      await Promise.all([
        tell(gauges.part, 'catalog', () => readCatalog(deps, gauges)),
        tell(gauges.part, 'redis', () => readRedis(deps, gauges)),
      ])
      return registry.metrics()
    },
    observe(app) {
      app.addHook('onResponse', async (request, reply) => {
        const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none')
        requests.observe(
          { method: request.method, route, status: String(reply.statusCode) },
          reply.elapsedTime / 1000,
        )
      })
    },
  }
}

type Gauges = ReturnType<typeof makeGauges>

function makeGauges(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [registry] })
  return {
    part: gauge('part_up', 'Whether a part could be asked', ['part']),
    targets: gauge('targets', 'Databases under protection', []),
    backups: gauge('backups', 'Backups by status', ['status']),
    operations: gauge('operations', 'Operations by state', ['state']),
    storedBytes: gauge('stored_bytes', 'Bytes in the storage', []),
    newest: gauge('newest_backup_age_seconds', 'Age of the newest usable backup', ['target', 'database']),
    jobs: gauge('queue_jobs', 'Jobs by queue and state', ['queue', 'state']),
    workers: gauge('workers', 'Workers alive', []),
  }
}

async function tell(part: Gauge<'part'>, name: string, read: () => Promise<void>): Promise<void> {
  const up = await read().then(
    () => 1,
    () => 0,
  )
  part.set({ part: name }, up)
}

async function readCatalog(deps: MetricsDeps, gauges: Gauges): Promise<void> {
  const stats = await deps.catalog.stats()
  gauges.targets.set(stats.targets)
  gauges.storedBytes.set(stats.storedBytes)
  for (const [status, count] of Object.entries(stats.backups)) gauges.backups.set({ status }, count)
  for (const [state, count] of Object.entries(stats.operations)) gauges.operations.set({ state }, count)
  // targets come and go
  gauges.newest.reset()
  for (const { target, database, consistentAt } of stats.newest) {
    gauges.newest.set(
      database === null ? { target } : { target, database },
      (deps.clock.now() - Date.parse(consistentAt)) / 1000,
    )
  }
}

async function readRedis(deps: MetricsDeps, gauges: Gauges): Promise<void> {
  const [counts, workers] = await Promise.all([deps.queue.counts(), deps.workers.count()])
  gauges.workers.set(workers)
  for (const [queue, states] of Object.entries(counts)) {
    for (const [state, count] of Object.entries(states)) gauges.jobs.set({ queue, state }, count)
  }
}
