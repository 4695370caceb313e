import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { lockElsewhere } from './support/lock-elsewhere.ts'
import { begun, LEASE_MS, startSlowSystem } from './support/slow-system.ts'
import type { ServiceProcess, System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'

describe('an SQLite catalog locked by another process', () => {
  let system: System

  beforeAll(async () => {
    system = await startSlowSystem(['shop'])
  })
  afterAll(() => system?.stop())

  it('refuses changes in bounded time, leaves no trace of them, and goes on reading', async () => {
    const unlock = await lockElsewhere(join(system.dataDir, 'catalog.db'))
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => refusedInTime(system, index)))
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'CATALOG_UNAVAILABLE' } })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await system.call('GET', '/v1/targets/shop')).status).toBe(200)
    await unlock()
    expect((await system.call('GET', '/v1/operations?type=backup')).body.total).toBe(0)
    expect((await system.call('GET', '/v1/backups')).body.total).toBe(0)
  })

  it.each([
    ['shorter than a lease', LEASE_MS / 2],
    ['longer than a lease', LEASE_MS * 3],
  ])('in the middle of a backup, for %s, lets it be recorded once', async (_length, lockedMs) => {
    const before = (await system.call('GET', '/v1/backups?target=shop')).body.total
    const operationId = await begun(system, '/v1/backups', {
      target: 'shop',
      note: `locked for ${lockedMs} ms`,
    })
    const unlock = await lockElsewhere(join(system.dataDir, 'catalog.db'))
    await sleep(lockedMs)
    await unlock()
    await expectOneGoodBackup(system, operationId)
    expect((await system.call('GET', '/v1/backups?target=shop')).body.total).toBe(before + 1)
  })
})

describe('a PostgreSQL catalog', () => {
  let postgres: PostgresServer
  let system: System

  beforeAll(async () => {
    postgres = await startPostgres()
    system = await startSlowSystem(['shop'], {
      env: {
        HOLDFAST_CATALOG_URL: await postgres.createDatabase(),
        HOLDFAST_MASTER_KEY: randomBytes(32).toString('base64'),
      },
    })
  })
  afterAll(async () => {
    await system?.stop()
    await postgres.stop()
  })

  it('serves the whole flow with two workers', async () => {
    const file = join(system.directory, 'shop.db')
    const before = rowsOf(file)
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', verify: 'restore' })
    expect(backup).toMatchObject({ state: 'completed', error: null })
    rewriteDatabase(file, 'changed')
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const restored = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, consent)
    expect(restored.error).toBeNull()
    expect(rowsOf(file)).toEqual(before)
    const undone = await carryOut(system, `/v1/operations/${restored.id}/undo`, undefined)
    expect(undone.error).toBeNull()
    expect(rowsOf(file)).not.toEqual(before)
  })

  it('that is locked or gone refuses in bounded time and leaves no trace', async () => {
    const count = async () => (await system.call('GET', '/v1/operations?type=backup')).body.total
    const before = await count()
    const other = new pg.Client(system.env.HOLDFAST_CATALOG_URL)
    other.on('error', () => {})
    await other.connect()
    await other.query('BEGIN; LOCK TABLE operations IN ACCESS EXCLUSIVE MODE')
    expect(await refusedInTime(system, 1)).toMatchObject({
      status: 503,
      body: { code: 'CATALOG_UNAVAILABLE' },
    })
    await other.query('ROLLBACK')
    await other.end()
    expect(await count()).toBe(before)

    await postgres.halt()
    expect(await refusedInTime(system, 2)).toMatchObject({
      status: 503,
      body: { code: 'CATALOG_UNAVAILABLE' },
    })
    const ready = await system.call('GET', '/readyz')
    expect(ready).toMatchObject({ status: 503, body: { parts: { catalog: false } } })
    await postgres.resume()
    await system.ready()
    expect(await count()).toBe(before)
  })

  it('that is stopped and started in the middle of a backup records it once', async () => {
    const operationId = await begun(system, '/v1/backups', { target: 'shop', note: 'the server is away' })
    const waiting = await system.call('POST', '/v1/backups', { target: 'shop', note: 'waits behind it' })
    await postgres.halt()
    await sleep(LEASE_MS * 2)
    await postgres.resume()
    await system.ready()
    await expectOneGoodBackup(system, operationId)
    await expectOneGoodBackup(system, waiting.body.id)
    const { body } = await system.call('GET', '/v1/backups?target=shop')
    expect(body.items.every(({ status }: { status: string }) => status === 'completed')).toBe(true)
  })
})

describe('a process of another catalog', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system?.stop())

  it('refuses to work with the Redis of this one, and does no harm', async () => {
    const elsewhere = { HOLDFAST_DATA_DIR: join(system.directory, 'other'), HOLDFAST_PORT: '0' }
    const strangers = [system.startWorker(undefined, elsewhere), system.startApi(undefined, elsewhere)]
    for (const stranger of strangers) {
      expect(await exitCodeOf(stranger)).not.toBe(0)
      expect(stranger.output()).toContain('this Redis holds the jobs of another catalog')
    }
    makeDatabase(join(system.directory, 'shop.db'), 'one')
    const url = sqliteUrl(join(system.directory, 'shop.db'))
    await system.call('POST', '/v1/targets', { name: 'shop', url })
    expect((await carryOut(system, '/v1/backups', { target: 'shop' })).state).toBe('completed')
  })
})

async function refusedInTime(system: System, index: number) {
  const startedAt = performance.now()
  const answer = await system.call('POST', '/v1/backups', { target: 'shop', note: `refused ${index}` })
  expect(performance.now() - startedAt).toBeLessThan(3000)
  return answer
}

/** The operation came to its end, and in the storage lies one whole backup of it and nothing else. */
async function expectOneGoodBackup(system: System, operationId: string): Promise<void> {
  const operation = await finished(system, operationId)
  expect(operation).toMatchObject({ state: 'completed', error: null })
  const { body: backup } = await system.call('GET', `/v1/backups/${operation.backupId}`)
  expect(backup.status).toBe('completed')
  expect((await readdir(backup.storagePath)).toSorted()).toEqual([
    'RESTORE.md',
    expect.stringMatching(/^data-\d+\.sqlite\.zst$/),
    'manifest.json',
    'state.json',
  ])
  const verified = await carryOut(system, `/v1/backups/${operation.backupId}/verify`, { level: 'restore' })
  expect(verified.error).toBeNull()
}

async function exitCodeOf({ child }: ServiceProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })
  return child.exitCode
}
