import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Catalog } from '@holdfast/core'
import { Type } from 'typebox'
import { pageQuery, pageSchema, toPageRequest, toPageView } from '../../http/page.ts'
import { problemResponses } from '../../http/problem.ts'
import { refTo } from '../../http/ref.ts'
import { AuditView, StatsView, toAuditView, toStatsView } from './schemas.ts'

const tags = ['reports']

/** Totals, and who did what. */
export function reportRoutes(deps: {
  readonly catalog: Pick<Catalog, 'stats' | 'audit'>
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/stats',
      {
        config: { access: 'viewer' },
        schema: {
          operationId: 'getStats',
          summary: 'Totals',
          tags,
          response: { 200: refTo(StatsView), ...problemResponses },
        },
      },
      async () => toStatsView(await deps.catalog.stats()),
    )

    app.get(
      '/audit',
      {
        config: { access: 'admin' },
        schema: {
          operationId: 'listAudit',
          summary: 'Every changing call, newest first: who did what to what',
          tags,
          querystring: Type.Object(pageQuery, { additionalProperties: false }),
          response: { 200: pageSchema(refTo(AuditView)), ...problemResponses },
        },
      },
      async (request) => toPageView(await deps.catalog.audit.list(toPageRequest(request.query)), toAuditView),
    )
  }
}
