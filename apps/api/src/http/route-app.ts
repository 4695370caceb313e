import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'

/** The application as route modules see it: with handlers typed by their schemas. */
export type RouteApp = Parameters<FastifyPluginAsyncTypebox>[0]
