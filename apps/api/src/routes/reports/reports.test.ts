import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

const UNKNOWN_ID = '00000000-0000-7000-8000-000000000000'

interface Entry {
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly outcome: string
  readonly requestId: string
}

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

const entries = async (): Promise<readonly Entry[]> =>
  (await api.call('GET', '/v1/audit?limit=200')).body.items

describe('the audit trail', () => {
  it('has who did what to what, and with which outcome', async () => {
    const url = api.makeDatabase('shop')
    const made = await api.call('POST', '/v1/targets', { body: { name: 'shop', url } })
    await api.call('POST', '/v1/backups', { key: 'operator', body: { target: 'shop' } })
    await api.call('DELETE', '/v1/targets/shop', { key: 'viewer' })
    await api.call('PATCH', '/v1/targets/nobody', { body: { labels: {} } })
    await api.call('POST', '/v1/targets', { key: null, body: { name: 'intruder', url } })
    await api.call('POST', '/v1/targets', { key: 'revoked', body: { name: '../../x', url } })

    expect((await entries()).slice(0, 6).map(({ requestId: _, ...entry }) => entry)).toMatchObject([
      { actor: 'anonymous', action: 'target.register', subject: '-', outcome: 'refused (401)' },
      { actor: 'anonymous', action: 'target.register', subject: '-', outcome: 'refused (401)' },
      { actor: 'test-admin', action: 'target.change', subject: 'nobody', outcome: 'refused (404)' },
      { actor: 'test-viewer', action: 'target.remove', subject: 'shop', outcome: 'refused (403)' },
      { actor: 'test-operator', action: 'backup.request', subject: 'shop', outcome: 'done (202)' },
      { actor: 'test-admin', action: 'target.register', subject: 'shop', outcome: 'done (201)' },
    ])
    expect((await entries())[5]?.requestId).toBe(made.headers['x-request-id'])
  })

  it('has every changing route, and no reading one', async () => {
    const before = new Set((await entries()).map(({ requestId }) => requestId))
    for (const { method, url, action } of api.routes()) {
      if (url === '/v1/events') continue
      const path = url.replace(':queueName', 'backup').replaceAll(/:\w+/g, UNKNOWN_ID).replace('*', 'x')
      const answer = await api.call(method, path, {
        body: method === 'GET' || method === 'HEAD' ? undefined : {},
      })
      const [newest] = await entries()
      const isNew = newest !== undefined && !before.has(newest.requestId)
      expect(isNew && newest.requestId === answer.headers['x-request-id'], `${method} ${url}`).toBe(
        action !== null,
      )
    }
  })

  it('pages', async () => {
    const first = await api.call('GET', '/v1/audit?limit=2')
    const second = await api.call('GET', `/v1/audit?limit=2&cursor=${first.body.nextCursor}`)
    expect(first.body.items).toHaveLength(2)
    expect(second.body.items[0].id).not.toBe(first.body.items[1].id)
    expect(second.body.total).toBe(first.body.total)
  })
})

describe('the totals', () => {
  it('count what there is', async () => {
    const { body } = await api.call('GET', '/v1/stats', { key: 'viewer' })
    expect(body).toMatchObject({ targets: 1, backups: { pending: 1 }, operations: { queued: 2 }, newest: [] })
  })
})
