import { readFileSync } from 'node:fs'
import type { Role } from '@holdfast/core'
import { allows, ROLES } from '@holdfast/core'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'
import type { RouteEntry } from './route-access.ts'
import { tableOfRoutes } from './route-access.ts'

const UNKNOWN_ID = '00000000-0000-7000-8000-000000000000'

let api: TestApi
let routes: readonly RouteEntry[]
beforeAll(async () => {
  api = await startTestApi()
  routes = api.routes()
})
afterAll(() => api.close())

describe('every route', () => {
  it('is in the table', () => {
    expect(routes.length).toBeGreaterThan(40)
    expect(new Set(routes.map(({ access }) => access))).toEqual(new Set(['public', ...ROLES]))
  })

  it.each([
    ['no key', null],
    ['a key that never was', `hf_${'x'.repeat(43)}`],
    ['a revoked key', 'revoked'],
  ])('answers 401 to %s unless it is public', async (_what, key) => {
    const answers = await callAll(key)
    for (const { route, status, body } of answers) {
      const where = `${route.method} ${route.url}`
      if (route.access === 'public') expect([401, 403], where).not.toContain(status)
      else expect(status, where).toBe(401)
      if (status === 401 && route.method !== 'HEAD') expect(body.code, where).toBe('UNAUTHENTICATED')
    }
  })

  it.each(ROLES)('lets the role %s do what it is for and nothing else', async (role: Role) => {
    for (const { route, status, body } of await callAll(role)) {
      const where = `${route.method} ${route.url}`
      const allowed = route.access === 'public' || allows(role, route.access)
      expect(status, where).not.toBe(401)
      // no worker is alive here, and the probe says so
      if (route.url !== '/readyz') expect(status, where).toBeLessThan(500)
      if (!allowed) expect(status, where).toBe(403)
      // the dashboard is read-only for everybody
      else if (!route.url.startsWith('/queues/api')) expect(body?.code, where).not.toBe('FORBIDDEN')
    }
  })

  it('answers 401 and not 404 to a path that does not exist', async () => {
    for (const url of ['/v1', '/v1/nothing', '/admin', '/V1/targets', '//v1/targets']) {
      expect((await api.call('GET', url, { key: null })).status, url).toBe(401)
      expect((await api.call('GET', url)).status, url).toBe(404)
    }
  })
})

describe('a real restore', () => {
  it('needs an admin, a dry run an operator', async () => {
    const restore = (key: Role, body: object) =>
      api.call('POST', `/v1/backups/${UNKNOWN_ID}/restore`, { key, body: { into: { target: 'x' }, ...body } })
    expect((await restore('operator', {})).status).toBe(404)
    expect((await restore('operator', { dryRun: true })).status).toBe(404)
    expect((await restore('operator', { dryRun: false })).body).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    })
    expect((await restore('admin', { dryRun: false })).status).toBe(404)
  })
})

describe('an application', () => {
  it('does not start with a route that states no access', async () => {
    const app = Fastify()
    tableOfRoutes(app)
    app.get('/forgotten', async () => 'secret')
    await expect(app.ready()).rejects.toThrow('states no access')
  })

  it('does not start with a changing route that is not audited', async () => {
    const app = Fastify()
    tableOfRoutes(app)
    app.post('/forgotten', { config: { access: 'admin' } }, async () => 'done')
    await expect(app.ready()).rejects.toThrow('unaudited')
  })
})

describe('docs/api.md', () => {
  it('names the role of every call', () => {
    const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8')
    const rows = page.split('\n').filter((line) => /^\| `[A-Z]+ \//.test(line))
    const expected = routes
      .filter(({ method, url }) => method !== 'HEAD' && !/^\/(docs|queues)\/./.test(url))
      .map(({ method, url, access }) => `| \`${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}\` | ${access} |`)
    expect(
      rows.map((row) => row.slice(0, row.indexOf(' | ', row.indexOf(' | ') + 1) + 2)).toSorted(),
    ).toEqual([...new Set(expected)].toSorted())
  })
})

async function callAll(key: string | null) {
  const answers = []
  for (const route of routes) {
    if (isStream(route)) continue
    const url = route.url
      .replace(':queueName', 'backup')
      .replaceAll(/:(id|jobId)/g, UNKNOWN_ID)
      .replaceAll(/:\w+/g, 'nothing')
      .replace('*', 'nothing')
    answers.push({ route, ...(await api.call(route.method, url, { key })) })
  }
  return answers
}

/** Would never end. The per-operation stream does, as there is no such operation. */
function isStream(route: RouteEntry): boolean {
  return route.url === '/v1/events'
}
