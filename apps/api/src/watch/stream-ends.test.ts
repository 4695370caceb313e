import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'

let api: TestApi
let address: string
beforeAll(async () => {
  api = await startTestApi({}, { heartbeatMs: 100 })
  address = await api.listen()
  await api.call('POST', '/v1/targets', { body: { name: 'shop', url: api.makeDatabase('shop') } })
})
afterAll(() => api.close())

const open = (path: string, key: string) =>
  fetch(`${address}${path}`, { headers: { authorization: `Bearer ${key}` } })

describe('a silent stream', () => {
  it('sends a comment now and then, and ends once its key is revoked', async () => {
    const { body } = await api.call('POST', '/v1/keys', { body: { name: 'watcher', role: 'viewer' } })
    const asked = await api.call('POST', '/v1/backups', { body: { target: 'shop' } })
    const streams = await Promise.all([
      open('/v1/events', body.key),
      open(`/v1/operations/${asked.body.id}/events`, body.key),
    ])
    const texts = Promise.all(streams.map((stream) => stream.text()))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await api.call('DELETE', '/v1/keys/watcher')
    for (const text of await texts) {
      expect(text.startsWith('retry: 2000\n\n')).toBe(true)
      expect(text).toContain('\n\n: heartbeat\n\n')
    }
  })
})

describe('closing the application', () => {
  it('ends streams and long polls at once, and answers them', async () => {
    const { body } = await api.call('POST', '/v1/backups', { body: { target: 'shop' } })
    const streams = await Promise.all([
      open('/v1/events', api.keys.viewer),
      open(`/v1/operations/${body.id}/events`, api.keys.viewer),
    ])
    const poll = open(`/v1/operations/${body.id}?wait=60`, api.keys.viewer)
    const texts = Promise.all(streams.map((stream) => stream.text()))
    // the poll has to have arrived
    await new Promise((resolve) => setTimeout(resolve, 200))

    const before = performance.now()
    await api.app.close()
    expect(performance.now() - before).toBeLessThan(1_500)
    expect((await texts)[1]).toContain('event: operation')
    const answer = await poll
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ id: body.id, state: 'queued' })
  })
})
