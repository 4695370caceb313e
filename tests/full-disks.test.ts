import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, makeDatabase } from './support/databases.ts'
import { stillLife } from './support/still-life.ts'
import type { System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'
import type { TightPlace } from './support/tight-place.ts'
import { makeTightPlace } from './support/tight-place.ts'

const MIB = 1024 * 1024
/** Rows of some 200 bytes: about 3 MB. */
const RECORDS = 14_000

describe('a storage without space', () => {
  let place: TightPlace
  let system: System
  let uploads: string
  let first: { id: string; storagePath: string }

  beforeAll(async () => {
    place = await makeTightPlace(32 * MIB)
    const storage = join(place.path, 'storage')
    system = await startSystem({ env: { HOLDFAST_STORAGE_URL: pathToFileURL(storage).href } })
    uploads = join(system.directory, 'uploads')
    await mkdir(uploads)
    await writeFile(join(uploads, 'video'), randomBytes(6 * MIB))
    makeDatabase(join(system.directory, 'shop.db'), versionOf('one'), RECORDS)
    const url = sqliteUrl(join(system.directory, 'shop.db'))
    await system.call('POST', '/v1/targets', { name: 'shop', url, options: { include: [uploads] } })
    const operation = await carryOut(system, '/v1/backups', { target: 'shop' })
    first = (await system.call('GET', `/v1/backups/${operation.backupId}`)).body
  })
  afterAll(async () => {
    await system?.stop()
    await place.remove()
  })

  const pids = () => system.workers.map(({ pid }) => pid)

  it('fails the backup, removes what it had stored, and leaves the earlier ones as they were', async () => {
    const before = await stillLife(first.storagePath)
    await place.fill(4 * MIB, pids())
    const failed = await carryOut(system, '/v1/backups', { target: 'shop', note: 'too much' })
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'STORAGE_FULL' } })
    expect(failed.error.hint).toMatch(/space/)

    const { body: row } = await system.call('GET', `/v1/backups/${failed.backupId}`)
    expect(row).toMatchObject({ status: 'failed', error: { code: 'STORAGE_FULL' } })
    expect(await readdir(join(place.path, 'storage', 'shop'))).toEqual([first.id])
    expect(await readdir(join(place.path, 'storage', '.partial'))).toEqual([])
    expect(await stillLife(first.storagePath)).toEqual(before)
    const { body: latest } = await system.call('GET', '/v1/backups/latest?target=shop')
    expect(latest.id).toBe(first.id)
    const verified = await carryOut(system, `/v1/backups/${first.id}/verify`, { level: 'restore' })
    expect(verified.error).toBeNull()
  })

  it('works again once there is space, and every backup restores', async () => {
    await place.relax()
    const again = await carryOut(system, '/v1/backups', { target: 'shop', note: 'enough space' })
    expect(again).toMatchObject({ state: 'completed', error: null })
    for (const id of [first.id, again.backupId]) {
      const copy = join(system.directory, `copy-${id}.db`)
      const asked = { into: { url: sqliteUrl(copy) }, dryRun: false }
      const restored = await carryOut(system, `/v1/backups/${id}/restore`, asked)
      expect(restored.error).toBeNull()
      expect(digestOf(copy)).toEqual(digestOf(join(system.directory, 'shop.db')))
    }
  })

  it('gives a whole backup or none, wherever the space ends', async () => {
    const { body } = await system.call('POST', '/v1/targets', {
      name: 'edge',
      url: sqliteUrl(join(system.directory, 'shop.db')),
    })
    expect(body.name).toBe('edge')
    const sizeBytes = (await carryOut(system, '/v1/backups', { target: 'edge', mode: 'snapshot' })).result
      .sizeBytes
    const outcomes = new Set<string>()
    for (const pages of [-1, 0, 1, 2, 3, 4, 5, 6, 8, 12, 20]) {
      await place.fill(Math.max(sizeBytes + pages * 4096, 2 * place.leastBytes), pids())
      const asked = { target: 'edge', mode: 'snapshot', note: `${pages} pages more` }
      const { state, error, backupId } = await carryOut(system, '/v1/backups', asked)
      outcomes.add(error?.code ?? state)
      await place.relax()
      const folders = await readdir(join(place.path, 'storage', 'edge'))
      expect(folders.includes(backupId)).toBe(state === 'completed')
      if (state === 'completed') await system.call('DELETE', `/v1/backups/${backupId}`)
    }
    expect([...outcomes].filter((outcome) => !['completed', 'STORAGE_FULL'].includes(outcome))).toEqual([])
    expect(await readdir(join(place.path, 'storage', '.partial'))).toEqual([])
  })
})

describe('a catalog without space', () => {
  let place: TightPlace
  let system: System

  beforeAll(async () => {
    place = await makeTightPlace(8 * MIB)
    const file = join(place.path, 'catalog.db')
    system = await startSystem({ env: { HOLDFAST_CATALOG_URL: `sqlite:${file}`, HOLDFAST_LEASE_MS: '1000' } })
    makeDatabase(join(system.directory, 'shop.db'), versionOf('one'), RECORDS * 4)
    const url = sqliteUrl(join(system.directory, 'shop.db'))
    await system.call('POST', '/v1/targets', { name: 'shop', url })
  })
  afterAll(async () => {
    await system?.stop()
    await place.remove()
  })

  const pids = () => [system.api.pid]

  it('refuses what it cannot record, goes on reading, and recovers', async () => {
    await place.fill(0, pids())
    const startedAt = performance.now()
    const refused = await system.call('POST', '/v1/backups', { target: 'shop' })
    expect(performance.now() - startedAt).toBeLessThan(3000)
    expect(refused).toMatchObject({ status: 503, body: { code: 'CATALOG_UNAVAILABLE' } })
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(refused.body.hint).toMatch(/disk|space/)
    expect((await system.call('GET', '/v1/backups')).body.total).toBe(0)
    await place.relax()
    const accepted = await carryOut(system, '/v1/backups', { target: 'shop' })
    expect(accepted.state).toBe('completed')
    expect((await system.call('GET', '/v1/operations?type=backup')).body.total).toBe(1)
  })

  it('records a backup once that was running when the space ended', async () => {
    const asked = { target: 'shop', note: 'meanwhile full', compression: 'gzip' }
    const { body: accepted } = await system.call('POST', '/v1/backups', asked)
    while ((await system.call('GET', `/v1/operations/${accepted.id}`)).body.state !== 'running')
      await sleep(5)
    await place.fill(0, pids())
    await sleep(2500)
    await place.relax()
    const operation = await finished(system, accepted.id)
    expect(operation).toMatchObject({ state: 'completed', error: null })
    const { body } = await system.call('GET', '/v1/backups?target=shop')
    expect(body.items.map(({ status }: { status: string }) => status)).toEqual(['completed', 'completed'])
    const verified = await carryOut(system, `/v1/backups/${operation.backupId}/verify`, { level: 'restore' })
    expect(verified.error).toBeNull()
  })
})

function versionOf(name: string): string {
  return name.padEnd(200, '.')
}
