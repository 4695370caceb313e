import type { FastifyInstance } from 'fastify'
import { findPrincipal } from '../auth/principal.ts'

/** Logs each request once it was answered: which route, by whom, with what outcome. Never what was sent. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const fields = {
      method: request.method,
      route: request.is404 ? null : (request.routeOptions.url ?? null),
      statusCode: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
      actor: findPrincipal(request)?.name ?? null,
    }
    const isProbe = fields.route === '/healthz' || fields.route === '/readyz' || fields.route === '/metrics'
    if (isProbe) request.log.debug(fields, 'request')
    else request.log.info(fields, 'request')
  })
}
