import { randomBytes } from 'node:crypto'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectRedis } from '@holdfast/queue'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canaryUrl } from './support/canary-engine.ts'
import { makeDatabase, rewriteDatabase } from './support/databases.ts'
import type { Secret } from './support/secret-search.ts'
import { secret, secretsBelow, secretsIn, watchProcesses } from './support/secret-search.ts'
import type { System } from './support/system.ts'
import { finished, startSystem } from './support/system.ts'

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** With characters that are escaped in URLs, in JSON and in shells. */
const PASSWORD = `pw "$(id)"/+%&=?#@: ${randomBytes(9).toString('hex')}`
const TOKEN = `tk-${randomBytes(12).toString('base64')}`
/** Of other producers: it is in the job that they wrote, and nobody shows it. */
const FOREIGN = `Of another producer: ${randomBytes(9).toString('hex')}`

describe('a secret', () => {
  let system: System
  let secrets: readonly Secret[]
  let file: string
  const answers: string[] = []
  const operationIds: string[] = []
  let processes: { readonly looks: number; readonly found: readonly string[] }

  beforeAll(async () => {
    const entries = {
      api: fileURLToPath(new URL('./support/canary-api.ts', import.meta.url)),
      worker: fileURLToPath(new URL('./support/canary-worker.ts', import.meta.url)),
    }
    system = await startSystem({ entries, env: { HOLDFAST_LOG_LEVEL: 'debug', HOLDFAST_LEASE_MS: '1000' } })
    const masterKey = (await readFile(join(system.dataDir, 'master.key'), 'utf8')).trim()
    secrets = [
      secret('password', PASSWORD),
      secret('token', TOKEN),
      secret('API key', system.apiKey),
      secret('master key', masterKey),
      { name: 'master key (bytes)', bytes: Buffer.from(masterKey, 'base64') },
      secret('Redis password', new URL(system.redis.url).password),
    ]
    file = join(system.directory, 'shop.db')
    makeDatabase(file, 'one')
    makeDatabase(join(system.directory, 'slow.db'), 'slow')
    const watch = watchProcesses(secrets, () => [system.api.pid, ...system.workers.map(({ pid }) => pid)])
    await useEverything()
    await provokeRefusals()
    await walkEveryPage()
    processes = await watch.stop()
  })
  afterAll(() => system?.stop())

  const url = (path: string) => canaryUrl(path, PASSWORD, TOKEN)

  /** Like the system's own, but keeps every answer with its headers. */
  async function ask(method: string, path: string, body?: unknown) {
    const answer = await system.call(method, path, body)
    answers.push(
      `${method} ${path.split('?')[0]} ${JSON.stringify([...answer.headers])} ${JSON.stringify(answer.body)}`,
    )
    return answer
  }

  async function carryOut(path: string, body: unknown) {
    const { status, body: accepted } = await ask('POST', path, body)
    expect({ status, accepted }).toMatchObject({ status: 202 })
    operationIds.push(accepted.id)
    return finished(system, accepted.id)
  }

  async function useEverything(): Promise<void> {
    expect((await ask('POST', '/v1/targets', { name: 'shop', url: url(file) })).status).toBe(201)
    expect((await ask('POST', '/v1/targets/shop/check')).status).toBe(200)
    const backup = await carryOut('/v1/backups', { target: 'shop', verify: 'restore', labels: { a: 'b' } })
    expect(backup).toMatchObject({ state: 'completed', error: null })
    const path = `/v1/backups/${backup.backupId}`
    expect((await carryOut(`${path}/verify`, { level: 'restore' })).state).toBe('completed')
    rewriteDatabase(file, 'two')
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const restored = await carryOut(`${path}/restore`, consent)
    expect(restored.state).toBe('completed')
    expect((await carryOut(`/v1/operations/${restored.id}/undo`, undefined)).state).toBe('completed')
    const copy = { into: { url: url(join(system.directory, 'copy.db')) } }
    expect((await carryOut(`${path}/restore`, copy)).state).toBe('completed')
    expect((await carryOut(`${path}/restore`, { ...copy, dryRun: false })).state).toBe('completed')
    const outside = { into: { url: url('/etc/passwd') }, dryRun: false }
    expect((await carryOut(`${path}/restore`, outside)).error.code).toBe('PATH_NOT_ALLOWED')
    await ask('PATCH', '/v1/targets/shop', { url: url(file), labels: { c: 'd' } })
    await ask('PATCH', path, { pinned: true, note: 'kept' })

    await rename(file, `${file}.away`)
    const missing = await carryOut('/v1/backups', { target: 'shop' })
    expect(missing).toMatchObject({ state: 'failed', error: { code: 'DATABASE_NOT_FOUND' } })
    expect((await ask('POST', '/v1/targets/shop/check')).status).toBe(422)
    await rename(`${file}.away`, file)

    await ask('POST', '/v1/targets', { name: 'slow', url: url(join(system.directory, 'slow.db')) })
    const { body: slow } = await ask('POST', '/v1/backups', { target: 'slow' })
    while ((await system.call('GET', `/v1/operations/${slow.id}`)).body.state !== 'running') await sleep(20)
    await ask('POST', `/v1/operations/${slow.id}/cancel`)
    expect((await finished(system, slow.id)).state).toBe('cancelled')
    operationIds.push(slow.id)
    await carryOut('/v1/retention/apply', undefined)
  }

  async function provokeRefusals(): Promise<void> {
    const encoded = encodeURIComponent(PASSWORD)
    const urls = [
      `postgres://user:${encoded}@127.0.0.1:5432/shop?sslpassword=${TOKEN}`,
      `mysql://user:${encoded}@db/shop?socket=/${TOKEN}`,
      `oracle://user:${encoded}@db/shop`,
      `sqlite://user:${encoded}@/etc/passwd`,
      `canary://user:${encoded}@host/no?token=${TOKEN}`,
      `${encoded}://x`,
      `no scheme ${PASSWORD}`,
      `canary://user:${encoded}@/x#${TOKEN}`,
    ]
    for (const [index, bad] of urls.entries()) {
      const added = await ask('POST', '/v1/targets', { name: `bad-${index}`, url: bad })
      expect([400, 422]).toContain(added.status)
      expect((await ask('PATCH', '/v1/targets/shop', { url: bad })).status).toBe(added.status)
      const { body } = await ask('GET', '/v1/backups/latest?target=shop')
      const into = { into: { url: bad }, dryRun: false }
      expect((await ask('POST', `/v1/backups/${body.id}/restore`, into)).status).toBe(added.status)
    }
    for (const body of [
      { name: PASSWORD, url: url(file) },
      { name: 'x', uri: url(file) },
      [url(file)],
      url(file),
    ]) {
      expect((await ask('POST', '/v1/targets', body)).status).toBe(400)
    }
    const broken = await fetch(`${system.url}/v1/targets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
      body: `{"name":"x","url":"${url(file)}`,
    })
    answers.push(await broken.text())
    await ask('GET', `/v1/targets?password=${encoded}&token=${TOKEN}`)
    for (const authorization of [
      `Bearer ${PASSWORD}`,
      `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`,
    ]) {
      const answer = await fetch(`${system.url}/v1/targets`, { headers: { authorization } }).catch(() => null)
      answers.push(`${await answer?.text()} ${JSON.stringify([...(answer?.headers ?? [])])}`)
    }
    await enqueueBadJobs()
    await system.redisDown()
    await ask('POST', '/v1/backups', { target: 'shop', note: 'while Redis is away' })
    await sleep(1500)
    await system.redisUp()
    await system.ready()
  }

  async function enqueueBadJobs(): Promise<void> {
    const connection = { url: system.redis.url }
    const queue = new Queue('backup', { connection, prefix: '{holdfast}' })
    const jobs = [
      { v: 1, target: 'shop', password: FOREIGN },
      { v: 1, target: FOREIGN },
      { v: FOREIGN },
      FOREIGN,
    ]
    for (const data of jobs) {
      const job = await queue.add(`name ${FOREIGN}`, data, { removeOnFail: false })
      await job.log(FOREIGN)
      while (!(await job.isFailed())) await sleep(20)
    }
    await queue.close()
  }

  async function walkEveryPage(): Promise<void> {
    const { body: latest } = await ask('GET', '/v1/backups/latest?target=shop')
    const { body: openapi } = await ask('GET', '/openapi.json')
    for (const [template, methods] of Object.entries<object>(openapi.paths)) {
      if (!('get' in methods)) continue
      const ids = template.includes('operations/{') ? operationIds : [latest.id]
      for (const id of ids) {
        const path = template.replace('{name}', 'shop').replace(/\{\w+\}/, id)
        await (/events$/.test(path) ? listenTo(path) : ask('GET', path))
      }
    }
    for (const page of ['/docs', '/docs/', '/queues', '/queues/']) await ask('GET', page)
    const { body: board } = await ask('GET', '/queues/api/queues?activeQueue=backup&page=1&jobsPerPage=100')
    for (const { name, jobs } of board.queues) {
      await ask('GET', `/queues/api/queues?activeQueue=${name}&page=1&jobsPerPage=100`)
      for (const { id } of jobs) {
        await ask('GET', `/queues/api/queues/${name}/${encodeURIComponent(id)}`)
        await ask('GET', `/queues/api/queues/${name}/${encodeURIComponent(id)}/logs`)
      }
    }
  }

  async function listenTo(path: string): Promise<void> {
    const signal = AbortSignal.timeout(300)
    const headers = { authorization: `Bearer ${system.apiKey}`, 'last-event-id': '0-0' }
    const stream = await fetch(`${system.url}${path}`, { headers, signal })
    const reader = stream.body?.pipeThrough(new TextDecoderStream())
    try {
      for await (const text of reader ?? []) answers.push(`${path} ${text}`)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  it('is in no answer of the API', () => {
    expect(answers.length).toBeGreaterThan(80)
    const all = [...secrets, secret('of another producer', FOREIGN)]
    const telling = answers.filter((answer) => secretsIn(Buffer.from(answer), all).length > 0)
    expect(telling).toEqual([])
  })

  it('is in no output of any process', () => {
    const output = system.output()
    expect(output).toContain('"level":20')
    const lines = output.split('\n')
    const all = [...secrets, secret('of another producer', FOREIGN)]
    expect(lines.filter((line) => secretsIn(Buffer.from(line), all).length > 0)).toEqual([])
  })

  it('is in no command line, and in no environment of the programs that the processes start', () => {
    expect(processes.looks).toBeGreaterThan(20)
    expect(processes.found).toEqual([])
  })

  it('is in no key and no value of Redis, nor in its log of changes', async () => {
    const redis = connectRedis(system.redis.url, 'worker', SILENT)
    const keys = await redis.keys('*')
    expect(keys.length).toBeGreaterThan(10)
    for (const key of keys) {
      const dumped = Buffer.concat([
        Buffer.from(`${key}\n`),
        (await redis.dumpBuffer(key)) ?? Buffer.alloc(0),
      ])
      expect(secretsIn(dumped, secrets), key).toEqual([])
    }
    redis.disconnect()
  })

  it('lies in no file but those that are there to keep it', async () => {
    expect(await secretsBelow(system.directory, secrets)).toEqual([
      'data/master.key: master key',
      'data/master.key: master key (bytes)',
      'redis/redis/password: Redis password',
      'redis/redis/redis.conf: Redis password',
    ])
  })

  it('would have been found', async () => {
    const [password = secret('', '')] = secrets
    for (const shift of ['', 'a', 'ab']) {
      const encoded = Buffer.from(`${shift}${PASSWORD} and more`).toString('base64')
      expect(secretsIn(Buffer.from(encoded), [password])).toEqual(['password'])
    }
    for (const text of [url(file), JSON.stringify({ url: PASSWORD }), JSON.stringify(url(file))]) {
      expect(secretsIn(Buffer.from(`… ${text} …`), secrets)).not.toEqual([])
    }
  })
})
