import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { DispatchDeps, WorkDeps } from '@holdfast/core'
import { acceptRetention, dispatch } from '@holdfast/core'
import { Type } from 'typebox'
import { acceptedResponses, answerAccepted, callerOf, IdempotencyHeaders } from '../../http/accepted.ts'
import { NoBody } from '../../http/nothing-else.ts'
import { problemResponses } from '../../http/problem.ts'
import { refTo } from '../../http/ref.ts'
import { ReplacedView, toReplacedView } from '../operations/schemas.ts'

export type RetentionRouteDeps = DispatchDeps &
  Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'storages' | 'clock'>

const tags = ['retention']

/** What expires. */
export function retentionRoutes(deps: RetentionRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/retention/apply',
      {
        config: { access: 'admin', action: 'retention.apply' },
        schema: {
          operationId: 'applyRetention',
          summary: 'Remove expired backups, and what restores had kept aside for long enough',
          tags,
          headers: IdempotencyHeaders,
          body: NoBody,
          response: acceptedResponses,
        },
      },
      async (request, reply) => {
        const accepted = await dispatch(deps, () => acceptRetention(deps, callerOf(request)))
        return answerAccepted(reply, accepted)
      },
    )

    app.get(
      '/replaced',
      {
        config: { access: 'viewer' },
        schema: {
          operationId: 'listReplaced',
          summary: 'What restores have replaced and kept aside, and until when',
          tags,
          response: { 200: Type.Object({ items: Type.Array(refTo(ReplacedView)) }), ...problemResponses },
        },
      },
      async () => ({ items: (await deps.catalog.replaced.list()).map(toReplacedView) }),
    )
  }
}
