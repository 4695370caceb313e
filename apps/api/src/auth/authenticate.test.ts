import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'
import { ensureAdminKey } from './first-key.ts'
import { hashKey } from './key.ts'

const ENVIRONMENT_KEY = 'from-the-environment-0123456789'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ HOLDFAST_API_KEY: ENVIRONMENT_KEY })
})
afterAll(() => api.close())

const basic = (key: string, user = 'anybody') => `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}`
const get = (authorization: string, headers = {}) =>
  api.call('GET', '/v1/audit', { key: null, headers: { authorization, ...headers } })

describe('a key', () => {
  it('works as a Bearer token, whatever the case of the scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      expect((await get(`${scheme} ${api.keys.admin}`)).status).toBe(200)
    }
  })

  it('works as the password of HTTP Basic with any user name', async () => {
    for (const user of ['', 'admin', 'jörg', 'test-admin']) {
      expect((await get(basic(api.keys.admin, user))).status).toBe(200)
    }
  })

  it('may come from the environment, and then is an admin that the catalog does not know', async () => {
    expect((await get(`Bearer ${ENVIRONMENT_KEY}`)).status).toBe(200)
    expect((await get(basic(ENVIRONMENT_KEY))).status).toBe(200)
    const { text } = await api.call('GET', '/v1/keys')
    expect(text).not.toContain(hashKey(ENVIRONMENT_KEY))
  })

  it.each([
    '',
    'Bearer',
    'Bearer ',
    `Token ${ENVIRONMENT_KEY}`,
    ENVIRONMENT_KEY,
    `Bearer ${ENVIRONMENT_KEY}x`,
    `Bearer ${ENVIRONMENT_KEY.slice(0, -1)}`,
    `Bearer ${ENVIRONMENT_KEY} extra`,
    'Basic',
    'Basic !!!!',
    `Basic ${Buffer.from('no-colon').toString('base64')}`,
    basic(''),
    `Bearer ${'x'.repeat(10_000)}`,
    `Bearer ${hashKey(ENVIRONMENT_KEY)}`,
  ])('is not "%s"', async (authorization) => {
    const answer = await get(authorization)
    expect(answer.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="Holdfast"')
  })

  it('is asked for with Basic where browsers come', async () => {
    for (const [url, accept] of [
      ['/queues', '*/*'],
      ['/queues/api/queues', '*/*'],
      ['/v1/targets', 'text/html,application/xhtml+xml'],
    ] as const) {
      const answer = await api.call('GET', url, { key: null, headers: { accept } })
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        401,
        'Basic realm="Holdfast", charset="UTF-8"',
      ])
    }
  })

  it('is not taken from a query, a cookie or a body', async () => {
    const { admin } = api.keys
    expect((await api.call('GET', `/v1/targets?key=${admin}`, { key: null })).status).toBe(401)
    expect(
      (await api.call('GET', '/v1/targets', { key: null, headers: { cookie: `key=${admin}` } })).status,
    ).toBe(401)
  })

  it('never enters the log, however it was sent', async () => {
    const { viewer } = api.keys
    await get(`Bearer ${viewer}`)
    await get(basic(viewer))
    await get(`Bearer ${viewer}x`)
    await get(`Token ${viewer}`)
    await api.call('GET', `/v1/targets?key=${viewer}`, { key: null, headers: { cookie: `key=${viewer}` } })
    await api.call('GET', `/v1/targets/${viewer}`)
    await api.call('POST', '/v1/keys', { body: viewer })
    expect(api.logged()).toContain('UNAUTHENTICATED')
    expect(api.logged()).not.toContain(viewer)
    expect(api.logged()).not.toContain(Buffer.from(`anybody:${viewer}`).toString('base64'))
  })

  it('stops working as soon as it is revoked', async () => {
    const { body } = await api.call('POST', '/v1/keys', { body: { name: 'short-lived', role: 'admin' } })
    expect((await get(`Bearer ${body.key}`)).status).toBe(200)
    expect((await api.call('DELETE', '/v1/keys/short-lived')).status).toBe(204)
    expect((await get(`Bearer ${body.key}`)).status).toBe(401)
  })
})

describe('a change with Basic credentials', () => {
  const cancel = (authorization: string, headers: Record<string, string>) =>
    api.call('POST', '/v1/operations/00000000-0000-7000-8000-000000000000/cancel', {
      key: null,
      headers: { authorization, host: 'holdfast.local:8420', ...headers },
    })

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://holdfast.local' }, 403],
    [{ origin: 'http://holdfast.local:8420', 'sec-fetch-site': 'cross-site' }, 403],
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }, 403],
    [{ origin: 'http://holdfast.local:8420' }, 404],
    [{ origin: 'http://holdfast.local:8420', 'sec-fetch-site': 'same-origin' }, 404],
    [{}, 404],
  ])('and headers %j is answered with %d', async (headers, status) => {
    expect((await cancel(basic(api.keys.admin), headers)).status).toBe(status)
  })

  it('is not confused with one that a program sends with a Bearer token', async () => {
    expect((await cancel(`Bearer ${api.keys.admin}`, { origin: 'https://other.example' })).status).toBe(404)
  })

  it('may read from anywhere, as browsers show answers to nobody else', async () => {
    expect((await get(basic(api.keys.admin), { 'sec-fetch-site': 'cross-site' })).status).toBe(200)
  })
})

describe('the first admin key', () => {
  it('is made by one of several processes that start together, and only if there is none', async () => {
    const { keys } = api.deps.catalog
    expect(await ensureAdminKey(keys)).toBeNull()
    for (const key of await keys.list()) if (key.revokedAt === null) await keys.revoke(key.name)

    const made = await Promise.all(Array.from({ length: 8 }, () => ensureAdminKey(keys)))
    const [first, ...others] = made.filter((key) => key !== null)
    expect(others).toEqual([])
    expect(first).toMatch(/^hf_[A-Za-z0-9_-]{43}$/)
    expect((await get(`Bearer ${first}`)).status).toBe(200)

    await keys.revoke('first-admin')
    const again = (await Promise.all(Array.from({ length: 8 }, () => ensureAdminKey(keys)))).filter(Boolean)
    expect(again).toHaveLength(1)
    expect(again[0]).not.toBe(first)
  })
})
