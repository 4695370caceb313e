import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { problemResponses } from '../../http/problem.ts'
import type { Metrics } from '../../metrics.ts'
import type { Readiness } from '../../readiness.ts'

const tags = ['probes']

const ReadyView = Type.Object({
  ready: Type.Boolean(),
  parts: Type.Object({
    catalog: Type.Boolean(),
    redis: Type.Boolean(),
    storage: Type.Boolean(),
    worker: Type.Boolean({ description: 'At least one worker is alive' }),
  }),
})

export interface ProbeRouteDeps {
  readonly readiness: () => Promise<Readiness>
  readonly metrics: Metrics
}

/** What watches the service from outside. The probes need no key and say nothing but yes or no. */
export function probeRoutes(deps: ProbeRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { access: 'public', rateLimit: false },
        schema: {
          operationId: 'getHealth',
          summary: 'The process is alive',
          tags,
          security: [],
          response: { 200: Type.Object({ alive: Type.Literal(true) }) },
        },
      },
      async () => ({ alive: true }) as const,
    )

    app.get(
      '/readyz',
      {
        config: { access: 'public', rateLimit: false },
        schema: {
          operationId: 'getReadiness',
          summary: 'The service can do its work: catalog, Redis and storage are usable and a worker is alive',
          tags,
          security: [],
          response: { 200: ReadyView, 503: ReadyView },
        },
      },
      async (_request, reply) => {
        const readiness = await deps.readiness()
        return reply.code(readiness.ready ? 200 : 503).send(readiness)
      },
    )

    app.get(
      '/metrics',
      {
        config: { access: 'viewer' },
        schema: {
          operationId: 'getMetrics',
          summary: 'Metrics in the Prometheus text format',
          tags,
          response: {
            200: { description: 'Metrics', content: { 'text/plain': { schema: Type.String() } } },
            ...problemResponses,
          },
        },
      },
      async (_request, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.render()),
    )
  }
}
