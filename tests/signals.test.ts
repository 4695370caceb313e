import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import type { Foreground } from './support/foreground.ts'
import { startForeground } from './support/foreground.ts'
import { lockElsewhere } from './support/lock-elsewhere.ts'
import { processesBelow, survivors } from './support/processes.ts'
import { begun, startSlowSystem } from './support/slow-system.ts'
import type { System } from './support/system.ts'
import { callApi, carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'

/** What a service manager grants. */
const STOP_MS = 10_000
/** A worker that was not heard of for so long does not count. */
const HEARTBEAT_MS = 10_000

describe('a worker that is asked to end', () => {
  let system: System

  beforeAll(async () => {
    system = await startSlowSystem(['shop'])
  })
  afterAll(() => system?.stop())

  it('hands a backup to another worker at once, and leaves nothing of its own', async () => {
    const id = await begun(system, '/v1/backups', { target: 'shop' })
    const [first, second] = system.workers
    const below = await Promise.all(system.workers.map(({ pid }) => processesBelow(pid)))
    const startedAt = performance.now()
    // whichever has it: the other one is still there when this one ends
    await first?.kill('SIGTERM')
    expect(performance.now() - startedAt).toBeLessThan(STOP_MS)
    const operation = await finished(system, id)
    expect(operation).toMatchObject({ state: 'completed', error: null })
    const third = system.startWorker()
    await expect.poll(() => third.output(), { timeout: 20_000 }).toContain('taking jobs')
    const next = await begun(system, '/v1/backups', { target: 'shop', note: 'second' })
    await second?.kill('SIGTERM')
    expect(await finished(system, next)).toMatchObject({ state: 'completed', error: null })
    expect(await survivors(below.flat(), 5000)).toEqual([])
    const { body } = await system.call('GET', '/v1/backups?target=shop')
    expect(body.items.map(({ status }: { status: string }) => status)).toEqual(['completed', 'completed'])
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
    expect(await readdir(join(system.dataDir, 'storage', '.partial'))).toEqual([])
  })
})

describe('a worker that is asked to end in the middle of a restore', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ env: { HOLDFAST_LEASE_MS: '1000' } })
  })
  afterAll(() => system?.stop())

  it('ends in time although the database is locked, and the next one finishes', async () => {
    const file = join(system.directory, 'shop.db')
    makeDatabase(file, 'wanted')
    const wanted = rowsOf(file)
    await system.call('POST', '/v1/targets', { name: 'shop', url: sqliteUrl(file) })
    const backup = await carryOut(system, '/v1/backups', { target: 'shop' })
    rewriteDatabase(file, 'replaced')
    const replaced = rowsOf(file)

    const unlock = await lockElsewhere(file)
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const id = await begun(system, `/v1/backups/${backup.backupId}/restore`, consent, 'swapping')
    const startedAt = performance.now()
    await system.workers[0]?.kill('SIGTERM')
    expect(performance.now() - startedAt).toBeLessThan(STOP_MS)
    expect(rowsOf(file)).toEqual(replaced)
    await unlock()
    system.startWorker()
    const operation = await finished(system, id)
    expect(['completed', 'failed']).toContain(operation.state)
    expect(rowsOf(file)).toEqual(operation.state === 'completed' ? wanted : replaced)
    expect((await readdir(system.directory)).filter((name) => name.startsWith('.shop'))).toEqual([])
  })
})

describe('an API that is asked to end', () => {
  let system: System

  beforeAll(async () => {
    system = await startSlowSystem(['shop'])
  })
  afterAll(() => system?.stop())

  it('answers whoever waits, ends in time, and its work goes on without it', async () => {
    const id = await begun(system, '/v1/backups', { target: 'shop' })
    const polling = system.call('GET', `/v1/operations/${id}?wait=30`)
    const stream = await fetch(`${system.url}/v1/operations/${id}/events`, {
      headers: { authorization: `Bearer ${system.apiKey}` },
    })
    const listening = stream.text()
    await sleep(100)
    const startedAt = performance.now()
    await system.api.kill('SIGTERM')
    expect(performance.now() - startedAt).toBeLessThan(STOP_MS)
    expect(system.api.child.exitCode).toBe(0)
    expect(await polling).toMatchObject({ status: 200, body: { id } })
    expect(await listening).toContain(id)

    system.startApi()
    await system.ready()
    expect(await finished(system, id)).toMatchObject({ state: 'completed', error: null })
  })
})

describe('readiness', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 2 })
  })
  afterAll(() => system?.stop())

  async function expectNotReadyWithin(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs
    let answer = await system.call('GET', '/readyz')
    while (answer.status === 200) {
      expect(performance.now()).toBeLessThan(deadline)
      await sleep(100)
      answer = await system.call('GET', '/readyz')
    }
    const parts = { worker: false, redis: true, catalog: true, storage: true }
    expect(answer).toMatchObject({ status: 503, body: { ready: false, parts } })
  }

  it('ends when one worker was killed and the other one is frozen, and comes back with a third', async () => {
    const [first, second] = system.workers
    await first?.kill('SIGKILL')
    expect((await system.call('GET', '/readyz')).status).toBe(200)
    second?.child.kill('SIGSTOP')
    await expectNotReadyWithin(HEARTBEAT_MS + 2000)
    system.startWorker()
    await system.ready()
    await second?.kill('SIGKILL')
  })

  it('ends soon when the last worker ends cleanly', async () => {
    await system.workers.at(-1)?.kill('SIGTERM')
    await expectNotReadyWithin(3000)
  })
})

describe('the whole service in the foreground', () => {
  let directory: string
  let service: Foreground
  const apiKey = `hf_${randomBytes(32).toString('base64url')}`
  const environment = (more: Readonly<Record<string, string>> = {}) => ({
    HOLDFAST_DATA_DIR: join(directory, 'data'),
    HOLDFAST_PATH_ROOTS: directory,
    HOLDFAST_PORT: '0',
    HOLDFAST_API_KEY: apiKey,
    HOLDFAST_LEASE_MS: '1000',
    ...more,
  })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-foreground-'))
    service = startForeground(environment())
  })
  afterEach(async () => {
    await service.end('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  async function ask(url: string, method: string, path: string, body?: unknown) {
    return (await callApi({ url, apiKey, method, path, body })).body
  }

  /** Registers a database whose backup takes some seconds, and begins with it. */
  async function beginBackup(url: string): Promise<string> {
    const file = join(directory, 'large.db')
    makeLargeDatabase(file)
    await ask(url, 'POST', '/v1/targets', { name: 'large', url: sqliteUrl(file) })
    const accepted = await ask(url, 'POST', '/v1/backups', { target: 'large', compression: 'gzip' })
    while ((await ask(url, 'GET', `/v1/operations/${accepted.id}`)).phase !== 'storing') await sleep(10)
    return accepted.id
  }

  it('ends in time in the middle of a backup, which the next start completes', async () => {
    const id = await beginBackup(await service.ready())
    const all = await processesBelow(service.pid)
    expect(all.length).toBeGreaterThan(3)
    const { tookMs, code } = await service.end('SIGTERM')
    expect(tookMs).toBeLessThan(STOP_MS)
    expect(code).toBe(0)
    expect(await survivors(all, 500)).toEqual([])

    service = startForeground(environment())
    const url = await service.ready()
    const operation = await ask(url, 'GET', `/v1/operations/${id}?wait=30`)
    expect(operation).toMatchObject({ state: 'completed', error: null })
    const { items } = await ask(url, 'GET', '/v1/backups?target=large')
    expect(items).toHaveLength(1)
  })

  it('leaves no process behind when it is killed, and the next start completes the work', async () => {
    const id = await beginBackup(await service.ready())
    const all = await processesBelow(service.pid)
    await service.end('SIGKILL')
    expect(await survivors(all, STOP_MS)).toEqual([])

    service = startForeground(environment())
    const operation = await ask(await service.ready(), 'GET', `/v1/operations/${id}?wait=30`)
    expect(operation).toMatchObject({ state: 'completed', error: null })
  })

  it('refuses to run twice on one data directory, and the first goes on', async () => {
    const url = await service.ready()
    const port = new URL(url).port
    const samePort = startForeground(environment({ HOLDFAST_PORT: port }))
    expect(await samePort.ended()).toBe(78)
    expect(samePort.output()).toContain(`cannot listen on 127.0.0.1:${port}`)
    const otherPort = startForeground(environment())
    expect(await otherPort.ended()).toBe(1)
    expect(otherPort.output()).toMatch(/already runs a private Redis in .*HOLDFAST_DATA_DIR/s)
    expect((await ask(url, 'GET', '/readyz')).ready).toBe(true)
  })
})

/** 48 MB that do not compress. */
function makeLargeDatabase(path: string): void {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE photos (id INTEGER PRIMARY KEY, bytes BLOB); BEGIN')
  const insert = database.prepare('INSERT INTO photos (bytes) VALUES (?)')
  for (let index = 0; index < 48; index += 1) insert.run(randomBytes(1024 * 1024))
  database.exec('COMMIT')
  database.close()
}
