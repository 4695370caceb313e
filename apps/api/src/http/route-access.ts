import type { Role } from '@holdfast/core'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'

/** Who may call a route: everybody, or whoever holds a key of at least this role. */
export type Access = 'public' | Role

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required on every route: an application with a route that lacks it does not start. */
    access?: Access
    /** Name under which calls of a changing route enter the audit trail, e.g. `backup.request`. */
    action?: string
  }
}

/** What a request needs. A path that does not exist needs a key too, so that nobody can find out which do. */
export function accessOf(request: FastifyRequest): Access {
  if (request.is404) return 'viewer'
  // a route without access cannot exist in an application that started; if it did, it would be closed
  return request.routeOptions.config.access ?? 'admin'
}

export interface RouteEntry {
  readonly method: string
  readonly url: string
  readonly access: Access
  readonly action: string | null
}

const READS = ['GET', 'HEAD', 'OPTIONS']

/** Collects every route that is registered from now on, and refuses to start if one has no stated access. */
export function tableOfRoutes(app: FastifyInstance): () => readonly RouteEntry[] {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    routes.push(route)
  })
  app.addHook('onReady', async () => {
    for (const route of routes) requireStated(route)
  })
  return () => routes.flatMap(entriesOf)
}

/** States the access of routes that a plugin registers in its own scope, and the action of those that change things. */
export function stateAccess(scope: FastifyInstance, access: Access, action?: string): void {
  scope.addHook('onRoute', (route) => {
    const isAction = action !== undefined && isChanging(route)
    route.config = { ...route.config, access, ...(isAction ? { action } : {}) }
  })
}

function requireStated(route: RouteOptions): void {
  if (route.config?.access === undefined) throw new Error(`route ${route.url} states no access`)
  if (isChanging(route) && route.config.action === undefined)
    throw new Error(`route ${route.url} changes things unaudited`)
}

function isChanging(route: RouteOptions): boolean {
  return [route.method].flat().some((method) => !READS.includes(method))
}

function entriesOf(route: RouteOptions): RouteEntry[] {
  return [route.method].flat().map((method) => ({
    method,
    url: route.url,
    access: route.config?.access ?? 'admin',
    action: route.config?.action ?? null,
  }))
}
