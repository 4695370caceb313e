import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'
import { redactPayload } from './redacted-queue.ts'

const SECRET = 'c4nary-s3cret'

let api: TestApi
let queue: Queue
beforeAll(async () => {
  api = await startTestApi()
  const { hostname: host, port, password } = new URL(api.redis.url)
  queue = new Queue('backup', {
    connection: { host, port: Number(port), password: decodeURIComponent(password) },
    prefix: '{holdfast}',
  })
  await queue.add(
    `name of ${SECRET}`,
    { v: 1, target: 'shop', url: SECRET, note: { [SECRET]: SECRET } },
    {
      jobId: 'hostile',
      deduplication: { id: SECRET },
      removeOnComplete: true,
    },
  )
  const job = await queue.getJob('hostile')
  await job?.log(SECRET)
  await job?.updateProgress({ phase: 'dumping', bytes: 5, percent: SECRET, secret: SECRET })
  await queue.upsertJobScheduler('tick', { every: 3_600_000 }, { name: 'tick', data: { password: SECRET } })
})
afterAll(async () => {
  await queue.close()
  await api.close()
})

const get = (path: string, key: 'viewer' | 'admin' | null = 'viewer') =>
  api.call('GET', `/queues${path}`, { key })

describe('the queue board', () => {
  it('shows every queue to a viewer', async () => {
    const { status, body } = await get('/api/queues?activeQueue=backup&status=latest&page=1&jobsPerPage=10')
    expect(status).toBe(200)
    expect(body.queues.map(({ name }: { name: string }) => name).toSorted()).toEqual([
      'backup',
      'maintenance',
      'restore',
      'retention',
      'verify',
    ])
    const jobs = body.queues.find(({ name }: { name: string }) => name === 'backup').jobs
    expect(jobs.find(({ id }: { id: string }) => id === 'hostile')).toMatchObject({
      name: '(hidden)',
      data: { v: 1, target: 'shop', url: '(hidden)', note: '(hidden)' },
      progress: { phase: 'dumping', bytes: 5 },
    })
  })

  it.each([
    '/api/queues?activeQueue=backup&status=latest&page=1&jobsPerPage=100',
    '/api/queues?activeQueue=backup&status=delayed&page=1&jobsPerPage=100',
    '/api/queues/backup/hostile',
    '/api/queues/backup/hostile/logs',
    '/api/queues/backup/hostile/flow',
    '/api/job-schedulers',
    '/api/queues/backup/default-job-options',
    '/api/queues/backup/job-data-schema',
    '/api/queues/backup/workers',
    '/api/redis/stats',
  ])('shows nothing at %s that a job may hide', async (path) => {
    const answer = await get(path)
    expect(answer.status).toBeLessThan(500)
    expect(answer.text).not.toContain(SECRET)
    expect(answer.text).not.toContain(new URL(api.redis.url).password)
  })

  it.each([
    ['POST', '/api/queues/backup/add', { name: 'x', data: {}, options: {} }],
    ['PUT', '/api/queues/backup/hostile/retry', undefined],
    ['PUT', '/api/queues/backup/hostile/clean', undefined],
    ['PUT', '/api/queues/backup/pause', undefined],
    ['PUT', '/api/queues/pause', undefined],
    ['PUT', '/api/queues/backup/empty', undefined],
    ['PUT', '/api/queues/backup/obliterate', undefined],
    ['PATCH', '/api/queues/backup/hostile/update-data', { data: {} }],
  ])('refuses %s %s even to an admin', async (method, path, body) => {
    const answer = await api.call(method, `/queues${path}`, { key: 'admin', body })
    expect([403, 404]).toContain(answer.status)
    expect(await queue.isPaused()).toBe(false)
    expect(await queue.getJob('hostile')).toBeDefined()
  })

  it('answers nonsense without failing', async () => {
    for (const path of [
      '/api/queues?activeQueue=%25E0%25A4%25A',
      '/api/queues?activeQueue=backup&status=nonsense',
      '/api/queues?activeQueue=backup&page=-1&jobsPerPage=1e9',
      '/api/queues?page=a',
      '/api/queues/nothing/1',
      '/api/queues/backup/1/logs',
      '/api/queues/backup/%00',
      '/api/job-schedulers?queue=nothing',
    ]) {
      expect((await get(path)).status, path).toBeLessThan(500)
    }
  })

  it('asks for a key everywhere, and browsers for a password', async () => {
    for (const path of ['', '/', '/api/queues', '/static/js/main.js', '/queue/backup', '/nothing']) {
      const answer = await get(path, null)
      expect([answer.status, answer.body?.code], path).toEqual([401, 'UNAUTHENTICATED'])
      expect(answer.headers['www-authenticate']).toContain('Basic')
    }
  })

  it('loads nothing from elsewhere', async () => {
    const page = await get('')
    expect(page.status).toBe(200)
    expect(page.text).not.toMatch(/https?:\/\//)
    expect(page.headers['content-security-policy']).not.toContain('http')
    const loaded = [...page.text.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, url]) => url)
    expect(loaded.length).toBeGreaterThan(3)
    for (const url of loaded) expect((await get(`/${url}`)).status, url).toBe(200)
  })
})

describe('redacting a payload', () => {
  it('keeps what our payloads know and what is valid there', () => {
    const payload = { v: 1, backup: 'first', into: { target: 'copy' }, dryRun: false, confirm: 'copy' }
    expect(redactPayload('restore', payload)).toEqual(payload)
    expect(redactPayload('restore', { ...payload, into: { url: `sqlite:///${SECRET}` } })).toEqual({
      ...payload,
      into: '(hidden)',
    })
  })

  it.each([null, SECRET, 7, [SECRET]])('shows nothing of %j', (data) => {
    expect(JSON.stringify(redactPayload('backup', data))).not.toContain(SECRET)
  })
})
