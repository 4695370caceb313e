import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { DispatchDeps, OperationFilter, WorkDeps } from '@holdfast/core'
import { acceptUndo, cancelOperation, dispatch } from '@holdfast/core'
import { acceptedResponses, answerAccepted, callerOf, IdempotencyHeaders } from '../../http/accepted.ts'
import { whenClientGone } from '../../http/client-gone.ts'
import { NoBody } from '../../http/nothing-else.ts'
import { pageSchema, toPageRequest, toPageView } from '../../http/page.ts'
import { problemResponses } from '../../http/problem.ts'
import { refTo } from '../../http/ref.ts'
import type { RouteApp } from '../../http/route-app.ts'
import type { OperationWatcher } from '../../watch/watch-operation.ts'
import { untilFinished } from '../../watch/watch-operation.ts'
import {
  OperationListQuery,
  OperationParams,
  OperationQuery,
  OperationView,
  toOperationView,
} from './schemas.ts'

export type OperationRouteDeps = DispatchDeps &
  Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'storages' | 'clock'> & {
    readonly watcher: OperationWatcher
  }

const tags = ['operations']

/** What became of work asked for. */
export function operationRoutes(deps: OperationRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    addReading(app, deps)
    addActing(app, deps)
  }
}

function addReading(app: RouteApp, deps: OperationRouteDeps): void {
  app.get(
    '',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'listOperations',
        summary: 'List operations, newest first',
        tags,
        querystring: OperationListQuery,
        response: { 200: pageSchema(refTo(OperationView)), ...problemResponses },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, ...filter } = request.query
      const page = await deps.catalog.operations.list(
        filter satisfies OperationFilter,
        toPageRequest(request.query),
      )
      return toPageView(page, (operation) => toOperationView(operation))
    },
  )

  app.get(
    '/:id',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'getOperation',
        summary: 'Read one operation; with `wait`, once it is finished or the time has passed',
        tags,
        params: OperationParams,
        querystring: OperationQuery,
        response: { 200: refTo(OperationView), ...problemResponses },
      },
    },
    async (request, reply) => {
      const waitMs = (request.query.wait ?? 0) * 1000
      const operation = await untilFinished(deps.watcher, request.params.id, waitMs, whenClientGone(reply))
      return toOperationView(operation)
    },
  )
}

function addActing(app: RouteApp, deps: OperationRouteDeps): void {
  app.post(
    '/:id/cancel',
    {
      config: { access: 'operator', action: 'operation.cancel' },
      schema: {
        operationId: 'cancelOperation',
        summary: 'Cancel an operation, waiting or running; a running one ends once it has cleaned up',
        tags,
        params: OperationParams,
        body: NoBody,
        response: { 202: refTo(OperationView), ...problemResponses },
      },
    },
    async (request, reply) => {
      const operation = await cancelOperation(deps, request.params.id)
      return answerAccepted(reply, { operation, coalesced: false })
    },
  )

  app.post(
    '/:id/undo',
    {
      config: { access: 'admin', action: 'operation.undo' },
      schema: {
        operationId: 'undoRestore',
        summary: 'Undo a restore while what it replaced is kept',
        tags,
        headers: IdempotencyHeaders,
        params: OperationParams,
        body: NoBody,
        response: acceptedResponses,
      },
    },
    async (request, reply) => {
      const accepted = await dispatch(deps, () => acceptUndo(deps, request.params.id, callerOf(request)))
      return answerAccepted(reply, accepted)
    },
  )
}
