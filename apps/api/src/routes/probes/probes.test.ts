import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

describe('probes', () => {
  it('say that the process is alive, without a key', async () => {
    const answer = await api.call('GET', '/healthz', { key: null })
    expect([answer.status, answer.body]).toEqual([200, { alive: true }])
  })

  it('say which part is missing, and nothing else', async () => {
    const answer = await api.call('GET', '/readyz', { key: null })
    expect(answer.status).toBe(503)
    expect(answer.body).toEqual({
      ready: false,
      parts: { catalog: true, redis: true, storage: true, worker: false },
    })
  })

  it('say that the service is ready once a worker is alive', async () => {
    await api.startWorkers()
    expect((await api.call('GET', '/readyz', { key: null })).body).toEqual({
      ready: true,
      parts: { catalog: true, redis: true, storage: true, worker: true },
    })
  })
})

describe('metrics', () => {
  it('count what there is', async () => {
    const url = api.makeDatabase('metered')
    await api.call('POST', '/v1/targets', { body: { name: 'metered', url } })
    await api.carryOut('/v1/backups', { target: 'metered' })

    const { text, headers } = await api.call('GET', '/metrics', { key: 'viewer' })

    expect(headers['content-type']).toContain('text/plain')
    expect(text).toContain('holdfast_part_up{part="catalog"} 1')
    expect(text).toContain('holdfast_part_up{part="redis"} 1')
    expect(text).toContain('holdfast_targets 1')
    expect(text).toContain('holdfast_backups{status="completed"} 1')
    expect(text).toMatch(/holdfast_operations\{state="completed"\} [1-9]/)
    expect(text).toMatch(/holdfast_newest_backup_age_seconds\{target="metered"\} \d/)
    expect(text).toMatch(/holdfast_queue_jobs\{queue="backup",state="completed"\} 1/)
    expect(text).toMatch(/holdfast_workers 1/)
    expect(text).toMatch(
      /holdfast_http_request_duration_seconds_count\{method="POST",route="\/v1\/backups",status="202"\} 1/,
    )
  })

  it('tell that redis is away instead of failing', async () => {
    await api.redis.down()
    const { status, text } = await api.call('GET', '/metrics')
    expect(status).toBe(200)
    expect(text).toContain('holdfast_part_up{part="redis"} 0')
    expect((await api.call('GET', '/readyz', { key: null })).body.parts).toMatchObject({ redis: false })
    await api.redis.up()
  })
})
