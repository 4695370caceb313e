import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ HOLDFAST_RATE_LIMIT: '20' })
})
afterAll(() => api.close())

describe('the rate limit', () => {
  it('answers 429 with Retry-After to a key that asks too often, and to no other', async () => {
    const statuses = []
    for (let count = 0; count < 21; count += 1) {
      statuses.push((await api.call('GET', '/v1/stats', { key: 'viewer' })).status)
    }
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(200))
    const refused = await api.call('GET', '/v1/targets', { key: 'viewer' })
    expect(refused.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect((await api.call('GET', '/v1/targets', { key: 'operator' })).status).toBe(200)
  })

  it('never holds for probes', async () => {
    for (let count = 0; count < 30; count += 1) {
      expect((await api.call('GET', '/healthz', { key: null })).status).toBe(200)
    }
  })

  it('answers 429 to an address that fails too often, without locking out valid keys', async () => {
    const statuses = new Set<number>()
    for (let count = 0; count < 700; count += 1) {
      statuses.add((await api.call('GET', '/v1/targets', { key: `hf_guess${count}` })).status)
    }
    expect(statuses).toEqual(new Set([401, 429]))
    expect((await api.call('GET', '/v1/targets', { key: 'admin' })).status).toBe(200)
  })
})
