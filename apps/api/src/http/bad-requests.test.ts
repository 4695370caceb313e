import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

const post = (body: unknown, headers = {}) => api.call('POST', '/v1/backups', { body, headers })

describe('a body', () => {
  it('of more than 64 KiB is answered with 413', async () => {
    const answer = await post({ target: 'a', note: 'x'.repeat(70_000) })
    expect(answer).toMatchObject({ status: 413, body: { code: 'INVALID_REQUEST' } })
  })

  it.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    '',
  ])('of type "%s" is answered with 415', async (type) => {
    const answer = await post('target=a', { 'content-type': type })
    expect(answer.status).toBe(415)
  })

  it.each([
    ['JSON cut short', '{"target": "a"'],
    ['no JSON', 'target'],
    ['nested too deep', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['nested too deep in a field', `{"target":"a","labels":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`],
    ['poisoned', '{"target": "a", "__proto__": {"admin": true}}'],
    ['poisoned inside', '{"target": "a", "labels": {"__proto__": {"admin": true}}}'],
    ['poisoned by escapes', '{"target": "a", "\\u005f_proto__": {}}'],
    ['poisoned by constructor', '{"target": "a", "constructor": {"prototype": {"admin": true}}}'],
    ['an array', '[]'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['empty', ''],
    ['without the required field', '{}'],
    ['with an unknown field', '{"target": "a", "tagret": "b"}'],
    ['with a number for a text', '{"target": 1}'],
    ['with a text for a boolean', '{"target": "a", "include": "/x"}'],
    ['with NUL in a name', '{"target": "a\\u0000b"}'],
    ['with NUL in a path', '{"target": "a", "include": ["/a\\u0000b"]}'],
    ['with a path for a name', '{"target": "../../etc/passwd"}'],
    ['with a very long name', `{"target": "${'a'.repeat(5_000)}"}`],
    ['with a name that is an id', '{"target": "a", "name": "latest"}'],
  ])('%s is answered with 400 or 404', async (what, body) => {
    const answer = await post(body)
    // the last one is well-formed, and there is no such target
    expect(answer.status, answer.text).toBe(what.includes('is an id') ? 404 : 400)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(Object.prototype).not.toHaveProperty('admin')
  })

  it('is never quoted, not even where its JSON breaks', async () => {
    const secret = 'c4nary-s3cret'
    for (const body of [
      `{"url": "${secret}"`,
      `${secret}`,
      { target: { password: secret } },
      { target: `${secret} ` },
    ]) {
      expect((await post(body)).text).not.toContain(secret)
    }
    expect(api.logged()).not.toContain(secret)
  })

  it('may be left out, empty or {} where a call takes none', async () => {
    const cancel = '/v1/operations/00000000-0000-7000-8000-000000000000/cancel'
    const json = { 'content-type': 'application/json' }
    expect((await api.call('POST', cancel)).status).toBe(404)
    expect((await api.call('POST', cancel, { body: '', headers: json })).status).toBe(404)
    expect((await api.call('POST', cancel, { body: {} })).status).toBe(404)
    expect((await api.call('POST', cancel, { body: { force: true } })).status).toBe(400)
  })
})

describe('a path or query', () => {
  it.each([
    '/v1/backups?colour=red',
    '/v1/backups?limit=0',
    '/v1/backups?limit=201',
    '/v1/backups?limit=ten',
    '/v1/backups?limit=1&limit=2',
    '/v1/backups?cursor=nonsense',
    '/v1/backups?cursor=%00',
    '/v1/backups?status=finished',
    '/v1/backups?label=%0a',
    '/v1/backups?since=yesterday',
    '/v1/backups?since=2026-13-01',
    '/v1/backups?since=0000-00-00',
    '/v1/backups?target=a%00b',
    '/v1/backups?__proto__=x',
    '/v1/backups/latest',
    '/v1/backups/a%00b',
    '/v1/backups/..%2f..%2fetc%2fpasswd',
    '/v1/backups/%zz',
    '/v1/backups/%c3%28',
    `/v1/backups/${'a'.repeat(5_000)}`,
    '/v1/operations/not-an-id',
    '/v1/operations/00000000-0000-7000-8000-000000000000?wait=61',
    '/v1/operations/00000000-0000-7000-8000-000000000000?wait=-1',
    '/v1/operations/00000000-0000-7000-8000-000000000000?wait=NaN',
    '/v1/targets/UPPER',
    '/v1/targets/-x',
    '/v1/keys?x=1',
  ])('%s is answered with 400', async (url) => {
    const answer = await api.call('GET', url)
    expect(answer.body, answer.text).toMatchObject({ status: 400, code: 'INVALID_REQUEST' })
  })
})

describe('every answer', () => {
  it('has a request id, which the problem repeats and the log has', async () => {
    const good = await api.call('GET', '/v1/targets')
    expect(good.headers['x-request-id']).toMatch(UUID)
    const bad = await api.call('GET', '/v1/targets/nothing', {
      headers: { 'x-request-id': 'chosen-by-caller' },
    })
    expect(bad.headers['x-request-id']).toMatch(UUID)
    expect(bad.body).toEqual({
      type: 'urn:holdfast:problem:target_not_found',
      title: 'Not found',
      status: 404,
      code: 'TARGET_NOT_FOUND',
      detail: expect.any(String),
      hint: null,
      requestId: bad.headers['x-request-id'],
    })
    expect(api.logged()).toContain(bad.body.requestId)
  })

  it('has headers that keep browsers from doing more than was meant', async () => {
    const { headers } = await api.call('GET', '/v1/targets')
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    expect(headers).not.toHaveProperty('x-powered-by')
    expect(headers).not.toHaveProperty('access-control-allow-origin')
  })
})
