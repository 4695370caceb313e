import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Access } from '../http/route-access.ts'
import { stateAccess } from '../http/route-access.ts'

/** Everything that the page loads is ours; the interface sets styles in its elements. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const DESCRIPTION = `Backups of databases that are proven restorable before they are called completed.

Keys are sent as \`Authorization: Bearer <key>\`, or by browsers as the password of HTTP Basic with any user name.
Work is answered with 202 and an operation to follow. Failures are problems (RFC 9457) with a stable \`code\`.`

/** Collects the schemas of every route registered from now on into one OpenAPI document. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', description: DESCRIPTION, version, license: { name: 'Apache-2.0' } },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          basic: { type: 'http', scheme: 'basic' },
        },
      },
      security: [{ bearer: [] }, { basic: [] }],
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => nameOf(json) ?? `def-${index}` },
    transform: ({ schema, url, route }) => {
      // anything that is not ours has no schema worth showing
      if (!schema) return { schema: { hide: true }, url }
      return { schema: { ...schema, description: describe(schema.description, route.config?.access) }, url }
    },
  })
}

/** The document and its page. They tell what may be asked, never what there is, and so need no key. */
export async function serveApiPages(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () =>
    app.swagger(),
  )
  // whoever opens the address in a browser should land somewhere
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply.redirect('/docs'),
  )
  const page: FastifyPluginAsync = async (scope) => {
    stateAccess(scope, 'public')
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      theme: {
        title: 'Holdfast API',
        css: [{ filename: 'theme.css', content: '.swagger-ui .topbar { display: none }' }],
      },
      uiConfig: { deepLinking: true, persistAuthorization: false, validatorUrl: null },
    })
  }
  await app.register(page)
}

function nameOf(schema: Readonly<Record<string, unknown>>): string | null {
  return typeof schema.$id === 'string' ? schema.$id : null
}

function describe(description: string | undefined, access: Access | undefined): string {
  const need =
    access === 'public' || access === undefined ? 'Needs no key.' : `Needs a key of role ${access}.`
  return description === undefined ? need : `${description}\n\n${need}`
}
