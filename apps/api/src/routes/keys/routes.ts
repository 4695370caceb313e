import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Catalog } from '@holdfast/core'
import { AppError, requireName } from '@holdfast/core'
import { Type } from 'typebox'
import { hashKey, makeKey } from '../../auth/key.ts'
import { ANONYMOUS, ENVIRONMENT_KEY } from '../../auth/principal.ts'
import { problemResponses } from '../../http/problem.ts'
import type { RouteApp } from '../../http/route-app.ts'
import { KeyBody, KeyListView, KeyParams, NewKeyView, toKeyView } from './schemas.ts'

const tags = ['keys']
const RESERVED = [ENVIRONMENT_KEY, ANONYMOUS]

/** API keys: made, listed and revoked by admins. */
export function keyRoutes(deps: { readonly catalog: Pick<Catalog, 'keys'> }): FastifyPluginAsyncTypebox {
  return async (app) => {
    addMaking(app, deps)
    addListing(app, deps)
    addRevoking(app, deps)
  }
}

function addMaking(app: RouteApp, deps: { readonly catalog: Pick<Catalog, 'keys'> }): void {
  app.post(
    '',
    {
      config: { access: 'admin', action: 'key.create' },
      schema: {
        operationId: 'createKey',
        summary: 'Make an API key; the answer is the only time it is shown',
        tags,
        body: KeyBody,
        response: { 201: NewKeyView, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { name, role } = request.body
      if (RESERVED.includes(name))
        throw new AppError('KEY_EXISTS', `the name ${name} is taken by the service itself`)
      const key = makeKey()
      const { createdAt } = await deps.catalog.keys.add({
        name: requireName('name', name),
        role,
        sha256: hashKey(key),
      })
      return reply.code(201).header('cache-control', 'no-store').send({ name, role, createdAt, key })
    },
  )
}

function addListing(app: RouteApp, deps: { readonly catalog: Pick<Catalog, 'keys'> }): void {
  app.get(
    '',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'listKeys',
        summary: 'List API keys, revoked ones included',
        tags,
        response: { 200: KeyListView, ...problemResponses },
      },
    },
    async () => ({ items: (await deps.catalog.keys.list()).map(toKeyView) }),
  )
}

function addRevoking(app: RouteApp, deps: { readonly catalog: Pick<Catalog, 'keys'> }): void {
  app.delete(
    '/:name',
    {
      config: { access: 'admin', action: 'key.revoke' },
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke an API key at once and for ever',
        tags,
        params: KeyParams,
        response: { 204: Type.Null(), ...problemResponses },
      },
    },
    async (request, reply) => {
      await deps.catalog.keys.revoke(request.params.name)
      return reply.code(204).send(null)
    },
  )
}
