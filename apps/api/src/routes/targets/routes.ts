import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { WorkDeps } from '@holdfast/core'
import {
  AppError,
  changeTarget,
  checkTarget,
  registerTarget,
  TargetBody,
  TargetChangeBody,
} from '@holdfast/core'
import { Type } from 'typebox'
import { withinTime } from '../../http/deadline.ts'
import { NoBody } from '../../http/nothing-else.ts'
import { pageSchema, toPageRequest, toPageView } from '../../http/page.ts'
import { problemResponses } from '../../http/problem.ts'
import { refTo } from '../../http/ref.ts'
import type { RouteApp } from '../../http/route-app.ts'
import {
  TargetCheckView,
  TargetListQuery,
  TargetParams,
  TargetView,
  toTargetCheckView,
  toTargetView,
} from './schemas.ts'

export type TargetRouteDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>

/** A check that takes longer says nothing that a person still waits for. */
const CHECK_MS = 10_000

const tags = ['targets']

export function targetRoutes(deps: TargetRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    addReading(app, deps)
    addChanging(app, deps)
    addChecking(app, deps)
  }
}

function addReading(app: RouteApp, deps: TargetRouteDeps): void {
  app.get(
    '',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'listTargets',
        summary: 'List the databases under protection',
        tags,
        querystring: TargetListQuery,
        response: { 200: pageSchema(refTo(TargetView)), ...problemResponses },
      },
    },
    async (request) => {
      const { environment } = request.query
      const filter = environment === undefined ? {} : { environment }
      return toPageView(await deps.catalog.targets.list(filter, toPageRequest(request.query)), toTargetView)
    },
  )

  app.get(
    '/:name',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'getTarget',
        summary: 'Read one target',
        tags,
        params: TargetParams,
        response: { 200: refTo(TargetView), ...problemResponses },
      },
    },
    async (request) => toTargetView(await deps.catalog.targets.get(request.params.name)),
  )
}

function addChanging(app: RouteApp, deps: TargetRouteDeps): void {
  app.post(
    '',
    {
      config: { access: 'admin', action: 'target.register' },
      schema: {
        operationId: 'registerTarget',
        summary: 'Register a database',
        tags,
        body: TargetBody,
        response: { 201: refTo(TargetView), ...problemResponses },
      },
    },
    async (request, reply) => {
      const target = await registerTarget(deps, request.body)
      return reply.code(201).header('location', `/v1/targets/${target.name}`).send(toTargetView(target))
    },
  )

  app.patch(
    '/:name',
    {
      config: { access: 'admin', action: 'target.change' },
      schema: {
        operationId: 'changeTarget',
        summary: 'Change a target; what is left out stays',
        tags,
        params: TargetParams,
        body: TargetChangeBody,
        response: { 200: refTo(TargetView), ...problemResponses },
      },
    },
    async (request) => toTargetView(await changeTarget(deps, request.params.name, request.body)),
  )

  app.delete(
    '/:name',
    {
      config: { access: 'admin', action: 'target.remove' },
      schema: {
        operationId: 'removeTarget',
        summary: 'Remove a target; its backups stay, its name is never used again',
        tags,
        params: TargetParams,
        response: { 204: Type.Null(), ...problemResponses },
      },
    },
    async (request, reply) => {
      await deps.catalog.targets.remove(request.params.name)
      return reply.code(204).send(null)
    },
  )
}

function addChecking(app: RouteApp, deps: TargetRouteDeps): void {
  app.post(
    '/:name/check',
    {
      config: { access: 'operator', action: 'target.check' },
      schema: {
        operationId: 'checkTarget',
        summary: 'Connect to the database and report what is there',
        tags,
        params: TargetParams,
        body: NoBody,
        response: { 200: refTo(TargetCheckView), ...problemResponses },
      },
    },
    async (request) => {
      const { name } = request.params
      const tooSlow = new AppError(
        'TARGET_UNREACHABLE',
        `target ${name} did not answer within ${CHECK_MS / 1000} s`,
      )
      const info = await withinTime(CHECK_MS, tooSlow, (signal) => checkTarget(deps, name, signal))
      return toTargetCheckView(name, info)
    },
  )
}
