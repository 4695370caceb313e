import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { problemResponses } from '../../http/problem.ts'
import type { EventStreams } from '../../watch/event-stream.ts'
import { observeAll } from '../../watch/watch-all.ts'
import type { OperationWatcher } from '../../watch/watch-operation.ts'
import { observeOperation } from '../../watch/watch-operation.ts'
import { OperationParams } from './schemas.ts'

export interface EventRouteDeps {
  readonly watcher: OperationWatcher
  readonly streams: EventStreams
  readonly heartbeatMs: number
}

const tags = ['operations']

const eventStreamResponses = {
  200: {
    description: 'Server-sent events of type `operation`; the data is the operation',
    content: { 'text/event-stream': { schema: Type.String() } },
  },
  ...problemResponses,
}

const ResumeHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ pattern: '^[0-9]{1,16}-[0-9]{1,16}$', description: 'Where an earlier stream ended' }),
  ),
})

/** Live changes. */
export function eventRoutes(deps: EventRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/operations/:id/events',
      {
        config: { access: 'viewer' },
        // an answer to HEAD would be a stream nobody reads
        exposeHeadRoute: false,
        schema: {
          operationId: 'watchOperation',
          summary: 'Follow one operation until it is finished',
          tags,
          params: OperationParams,
          response: eventStreamResponses,
        },
      },
      async (request, reply) => {
        const { id } = request.params
        // before the first byte, so that an unknown operation is a 404
        await deps.watcher.operations.get(id)
        return deps.streams.send(request, reply, (ended) =>
          observeOperation(deps.watcher, id, deps.heartbeatMs, ended),
        )
      },
    )

    app.get(
      '/events',
      {
        config: { access: 'viewer' },
        exposeHeadRoute: false,
        schema: {
          operationId: 'watchOperations',
          summary: 'Follow all operations from now on, or from after `Last-Event-ID`',
          tags,
          headers: ResumeHeaders,
          response: eventStreamResponses,
        },
      },
      async (request, reply) => {
        const lastEventId = request.headers['last-event-id'] ?? null
        return deps.streams.send(request, reply, (ended) =>
          observeAll(deps.watcher, lastEventId, deps.heartbeatMs, ended),
        )
      },
    )
  }
}
