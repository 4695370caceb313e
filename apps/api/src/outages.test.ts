import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestAnswer, TestApi } from './testing/test-api.ts'
import { startTestApi } from './testing/test-api.ts'

const ENVIRONMENT_KEY = 'from-the-environment-0123456789'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ HOLDFAST_API_KEY: ENVIRONMENT_KEY })
  await api.call('POST', '/v1/targets', { body: { name: 'shop', url: api.makeDatabase('shop') } })
})
afterAll(() => api.close())

/** Asks, and expects a refusal that says to come again, in time. */
async function expectUnavailable(code: string, ask: () => Promise<TestAnswer>) {
  const before = performance.now()
  const answer = await ask()
  expect(performance.now() - before).toBeLessThan(3_000)
  expect(answer.body, answer.text).toMatchObject({ status: 503, code, requestId: expect.any(String) })
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
}

const backup = () => api.call('POST', '/v1/backups', { body: { target: 'shop' } })
const totals = async () => {
  const { body } = await api.call('GET', '/v1/stats')
  return [body.backups.pending, body.operations.queued]
}

describe('while redis is down', () => {
  it('asking for work is answered with 503 within three seconds and leaves no trace', async () => {
    const before = await totals()
    await api.redis.down()
    await expectUnavailable('QUEUE_UNAVAILABLE', backup)
    await expectUnavailable('QUEUE_UNAVAILABLE', () => api.call('POST', '/v1/retention/apply'))
    await expectUnavailable('QUEUE_UNAVAILABLE', () => api.call('GET', '/queues/api/queues'))
    expect(await totals()).toEqual(before)
  })

  it('reading goes on, and the process is alive but not ready', async () => {
    expect((await api.call('GET', '/v1/backups')).status).toBe(200)
    expect((await api.call('GET', '/healthz', { key: null })).status).toBe(200)
    const ready = await api.call('GET', '/readyz', { key: null })
    expect(ready.body).toMatchObject({ ready: false, parts: { catalog: true, redis: false } })
  })

  it('work is accepted again as soon as it is back', async () => {
    await api.redis.up()
    await expect.poll(async () => (await backup()).status, { timeout: 5_000 }).toBe(202)
  })
})

describe('while redis accepts connections but answers nothing', () => {
  it('asking for work is answered with 503 within three seconds', async () => {
    api.redis.freeze()
    try {
      await expectUnavailable('QUEUE_UNAVAILABLE', backup)
    } finally {
      api.redis.thaw()
    }
    await expect.poll(async () => (await backup()).status, { timeout: 10_000 }).toBe(202)
  })
})

describe('while redis belongs to another catalog', () => {
  it('nothing is enqueued', async () => {
    await api.redis.client.set('{holdfast}:catalog', '00000000-0000-7000-8000-000000000000')
    const answer = await backup()
    expect(answer.body).toMatchObject({ status: 503, code: 'CATALOG_MISMATCH' })
    await api.redis.client.set('{holdfast}:catalog', api.deps.catalog.id)
    expect((await backup()).status).toBe(202)
  })
})

describe('while the catalog is locked', () => {
  it('a change is answered with 503 within three seconds, and audited in the log', async () => {
    const unlock = await lockFromElsewhere(join(api.directory, 'data', 'catalog.db'))
    const key = ENVIRONMENT_KEY
    await expectUnavailable('CATALOG_UNAVAILABLE', () =>
      api.call('POST', '/v1/backups', { key, body: { target: 'shop', note: 'while locked' } }),
    )
    await expectUnavailable('CATALOG_UNAVAILABLE', () =>
      api.call('POST', '/v1/keys', { key, body: { name: 'late', role: 'viewer' } }),
    )
    await unlock()
    expect(api.logged()).toMatch(/"audit":\{"actor":"environment","action":"key.create","subject":"late"/)
    expect((await backup()).status).toBe(202)
  })
})

describe('the answer to an outage', () => {
  it('names no address, path or password', async () => {
    await api.redis.down()
    const answer = await backup()
    const { password, port } = new URL(api.redis.url)
    expect(answer.text).not.toContain(password)
    expect(answer.text).not.toContain(port)
    expect(api.logged()).not.toContain(password)
    await api.redis.up()
  })
})

const LOCKER = `
const { DatabaseSync } = require('node:sqlite')
const database = new DatabaseSync(process.argv[1])
database.exec('begin immediate')
process.stdout.write('locked')
process.stdin.resume().on('end', () => process.exit())
`

/** Locks a database for writing as another process does; a lock of this process would not count for itself. */
async function lockFromElsewhere(file: string): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['--no-warnings', '-e', LOCKER, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return async () => {
    child.stdin.end()
    await once(child, 'exit')
  }
}
