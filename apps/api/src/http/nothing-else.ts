import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'

/** For calls that take nothing: no body, or an empty object from clients that always send one. */
export const NoBody = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })])

const NoQuery = Type.Object({}, { additionalProperties: false })

/** Gives every call below /v1 that takes no query a schema that says so: a mistyped parameter is told, not ignored. */
export function refuseUnknownQueries(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/') || route.schema?.querystring !== undefined) return
    route.schema = { ...route.schema, querystring: NoQuery }
  })
}
