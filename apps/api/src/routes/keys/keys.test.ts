import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

const create = (body: object) => api.call('POST', '/v1/keys', { body })

describe('making a key', () => {
  it('answers 201 and shows the key this once', async () => {
    const answer = await create({ name: 'ci', role: 'operator' })
    expect(answer.status).toBe(201)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.body).toEqual({
      name: 'ci',
      role: 'operator',
      createdAt: expect.any(String),
      key: expect.stringMatching(/^hf_[A-Za-z0-9_-]{43}$/),
    })
    const { key } = answer.body
    expect((await api.call('GET', '/v1/backups', { key })).status).toBe(200)
    expect((await api.call('GET', '/v1/keys', { key })).status).toBe(403)

    const shown = [await api.call('GET', '/v1/keys'), await api.call('GET', '/v1/audit')].map(
      ({ text }) => text,
    )
    const catalog = ['catalog.db', 'catalog.db-wal'].map((file) =>
      readFileSync(join(api.directory, 'data', file), 'latin1'),
    )
    for (const text of [...shown, ...catalog, api.logged()]) expect(text).not.toContain(key)
  })

  it.each([
    [{ name: 'test-viewer', role: 'viewer' }, 409],
    [{ name: 'test-revoked', role: 'viewer' }, 201],
    [{ name: 'environment', role: 'viewer' }, 409],
    [{ name: 'anonymous', role: 'viewer' }, 409],
    [{ name: 'latest', role: 'viewer' }, 400],
    [{ name: 'Upper', role: 'viewer' }, 400],
    [{ name: 'root', role: 'root' }, 400],
    [{ name: 'root' }, 400],
  ])('answers %j with %d', async (body, status) => {
    expect((await create(body)).status).toBe(status)
  })
})

describe('listing keys', () => {
  it('tells when each was used, and neither key nor hash', async () => {
    await api.call('GET', '/v1/stats', { key: 'viewer' })
    const { body } = await api.call('GET', '/v1/keys')
    const viewer = body.items.find(({ name }: { name: string }) => name === 'test-viewer')
    expect(viewer).toEqual({
      name: 'test-viewer',
      role: 'viewer',
      createdAt: expect.any(String),
      lastUsedAt: expect.any(String),
      revokedAt: null,
    })
  })
})

describe('revoking a key', () => {
  it('answers 204 once, and 404 from then on', async () => {
    await create({ name: 'gone', role: 'viewer' })
    expect((await api.call('DELETE', '/v1/keys/gone')).status).toBe(204)
    expect((await api.call('DELETE', '/v1/keys/gone')).body).toMatchObject({
      status: 404,
      code: 'KEY_NOT_FOUND',
    })
    const { body } = await api.call('GET', '/v1/keys')
    expect(body.items.find(({ name }: { name: string }) => name === 'gone').revokedAt).toEqual(
      expect.any(String),
    )
  })
})
