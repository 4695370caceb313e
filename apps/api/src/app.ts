import { randomUUID } from 'node:crypto'
import helmet from '@fastify/helmet'
import type { DispatchDeps, WorkDeps } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Queue } from 'bullmq'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import Fastify, { LogController } from 'fastify'
import { authenticate, stillAllowed } from './auth/authenticate.ts'
import { auditChanges } from './http/audit.ts'
import { handleError, sendProblem } from './http/error-handler.ts'
import { acceptJsonOnly, BODY_LIMIT_BYTES } from './http/json-body.ts'
import { logRequests } from './http/log-requests.ts'
import { refuseUnknownQueries } from './http/nothing-else.ts'
import { Problem } from './http/problem.ts'
import { limitFailures, limitRates } from './http/rate-limits.ts'
import type { RouteEntry } from './http/route-access.ts'
import { tableOfRoutes } from './http/route-access.ts'
import { compileValidator } from './http/validator.ts'
import type { QueueCounts } from './metrics.ts'
import { createMetrics } from './metrics.ts'
import { describeApi, serveApiPages } from './pages/openapi.ts'
import { serveQueueBoard } from './pages/queue-board.ts'
import type { LiveWorkers } from './readiness.ts'
import { readinessProbe } from './readiness.ts'
import { backupContentRoutes } from './routes/backups/content-routes.ts'
import { backupRoutes } from './routes/backups/routes.ts'
import { BackupView } from './routes/backups/schemas.ts'
import { backupWorkRoutes } from './routes/backups/work-routes.ts'
import { keyRoutes } from './routes/keys/routes.ts'
import { KeyView } from './routes/keys/schemas.ts'
import { eventRoutes } from './routes/operations/event-routes.ts'
import { operationRoutes } from './routes/operations/routes.ts'
import { OperationView, ReplacedView } from './routes/operations/schemas.ts'
import { probeRoutes } from './routes/probes/routes.ts'
import { reportRoutes } from './routes/reports/routes.ts'
import { AuditView, StatsView } from './routes/reports/schemas.ts'
import { retentionRoutes } from './routes/retention/routes.ts'
import { targetRoutes } from './routes/targets/routes.ts'
import { TargetCheckView, TargetView } from './routes/targets/schemas.ts'
import { eventStreams, HEARTBEAT_MS } from './watch/event-stream.ts'
import type { OperationWatcher } from './watch/watch-operation.ts'

/** Everything that the routes work with. `compose.ts` makes it; tests make their own. */
export interface ApiDeps extends DispatchDeps, Omit<WorkDeps, 'keepReplacedHours' | 'log'> {
  readonly queue: DispatchDeps['queue'] & QueueCounts & { readonly queues: readonly Queue[] }
  readonly workers: LiveWorkers
  readonly watch: OperationWatcher['events']
  readonly log: FastifyBaseLogger
  readonly apiKey: string | null
  readonly rateLimitPerMinute: number
  readonly version: string
  /** How long a stream of events may be silent. */
  readonly heartbeatMs?: number
  /** Only one application a process may have the figures of the process. */
  readonly processMetrics: boolean
}

export interface Api {
  readonly app: FastifyInstance
  /** Every route with the role that it needs. */
  readonly routes: () => readonly RouteEntry[]
}

const IDLE_SWEEP_MS = 50

const SHARED_SCHEMAS = [
  Problem,
  TargetView,
  TargetCheckView,
  BackupView,
  OperationView,
  ReplacedView,
  KeyView,
  StatsView,
  AuditView,
]

/** Builds the application without listening. */
export async function buildApp(deps: ApiDeps): Promise<Api> {
  const app = createInstance(deps)
  const closing = closingSignal(app)
  const routes = tableOfRoutes(app)
  refuseUnknownQueries(app)
  acceptJsonOnly(app)
  app.setValidatorCompiler(compileValidator)
  app.setErrorHandler(handleError)
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)

  const metrics = createMetrics(deps, { process: deps.processMetrics })
  metrics.observe(app)
  logRequests(app)
  await secureHeaders(app)
  auditChanges(app, deps.catalog.audit)

  const keys = { keys: deps.catalog.keys, apiKey: deps.apiKey }
  // the hook must come before the limits, which count by key; what counts failures only exists after them
  const failures: { limit?: ReturnType<typeof limitFailures> } = {}
  app.addHook(
    'onRequest',
    authenticate({ ...keys, failures: { count: async (request) => failures.limit?.count(request) } }),
  )
  await limitRates(app, deps.rateLimitPerMinute)
  failures.limit = limitFailures(app)
  refuseUnknownPaths(app)

  await describeApi(app, deps.version)
  await serveApiPages(app)
  const watcher = { operations: deps.catalog.operations, events: deps.watch, clock: deps.clock, closing }
  const streams = eventStreams({ closing, isAllowed: (request) => stillAllowed(keys, request) })
  await app.register(probeRoutes({ readiness: readinessProbe(deps), metrics }))
  await app.register(targetRoutes(deps), { prefix: '/v1/targets' })
  await app.register(backupRoutes(deps), { prefix: '/v1/backups' })
  await app.register(backupWorkRoutes(deps), { prefix: '/v1/backups' })
  await app.register(backupContentRoutes(deps), { prefix: '/v1/backups' })
  await app.register(operationRoutes({ ...deps, watcher }), { prefix: '/v1/operations' })
  await app.register(eventRoutes({ watcher, streams, heartbeatMs: deps.heartbeatMs ?? HEARTBEAT_MS }), {
    prefix: '/v1',
  })
  await app.register(retentionRoutes(deps), { prefix: '/v1' })
  await app.register(reportRoutes(deps), { prefix: '/v1' })
  await app.register(keyRoutes(deps), { prefix: '/v1/keys' })
  await serveQueueBoard(app, deps)
  return { app, routes }
}

function createInstance(deps: ApiDeps): FastifyInstance {
  return Fastify({
    loggerInstance: deps.log,
    // ours are logged by logRequests, without the query
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    bodyLimit: BODY_LIMIT_BYTES,
    trustProxy: false,
    requestTimeout: 30_000,
    connectionTimeout: 0,
    keepAliveTimeout: 5_000,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    // longer than any name, so that a long one is refused as such and not as an unknown path
    routerOptions: { maxParamLength: 8192 },
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id)
      handleError(error, request, reply)
    },
  })
}

/** Aborted when the application begins to close, so that nobody is kept waiting. */
function closingSignal(app: FastifyInstance): AbortSignal {
  const controller = new AbortController()
  let sweeper: NodeJS.Timeout | undefined
  app.addHook('preClose', async () => {
    controller.abort()
    // connections whose last answer ends only now would otherwise be kept for the next request
    sweeper = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS)
  })
  app.addHook('onClose', async () => clearInterval(sweeper))
  return controller.signal
}

async function secureHeaders(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  })
}

function refuseUnknownPaths(app: FastifyInstance): void {
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    sendProblem(request, reply, 404, new AppError('NOT_FOUND', 'there is nothing at this path'))
  })
}
