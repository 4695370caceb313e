import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { acceptBackup, acceptRestore, acceptUndo, acceptVerify, registerTarget } from '@holdfast/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, integrityOf, makeDatabase, rewriteDatabase } from './support/databases.ts'
import { over } from './support/over.ts'
import { stillLife } from './support/still-life.ts'
import type { System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'
import type { TightPlace } from './support/tight-place.ts'
import { makeTightPlace } from './support/tight-place.ts'
import type { Workshop } from './support/workshop.ts'
import { CALLER, openWorkshop } from './support/workshop.ts'

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

describe('temporary space that is full', () => {
  let place: TightPlace
  let workshop: Workshop
  let spoilDump = async () => {}

  beforeAll(async () => {
    place = await makeTightPlace(16 * MIB)
    workshop = await openWorkshop({
      scratchDir: join(place.path, 'tmp'),
      aroundDriver: (driver) =>
        over(driver, {
          async dump(request, signal) {
            await spoilDump()
            return driver.dump(request, signal)
          },
        }),
    })
    makeDatabase(join(workshop.directory, 'shop.db'), versionOf('one'), RECORDS)
    await registerTarget(workshop.deps, { name: 'shop', url: sqliteUrl(join(workshop.directory, 'shop.db')) })
  })
  afterEach(async () => {
    spoilDump = async () => {}
    await place.relax()
    expect(await readdir(join(place.path, 'tmp'))).toEqual([])
  })
  afterAll(async () => {
    await workshop?.close()
    await place.remove()
  })

  it('fails the backup, whether it was full before or became so on the way', async () => {
    const { deps, carryOut: carryOutHere, directory } = workshop
    const before = await stillLife(directory)
    await place.fill(MIB, [process.pid])
    const early = await carryOutHere(acceptBackup(deps, { target: 'shop' }, CALLER))
    expect(early).toMatchObject({ state: 'failed', error: { code: 'TEMPORARY_SPACE_FULL' } })
    await place.relax()
    spoilDump = () => place.fill(MIB, [process.pid])
    const late = await carryOutHere(acceptBackup(deps, { target: 'shop' }, CALLER))
    expect(late).toMatchObject({ state: 'failed', error: { code: 'TEMPORARY_SPACE_FULL' } })
    expect(late.error?.hint).toMatch(/space/)
    const after = await stillLife(directory)
    expect(after['shop.db']).toBe(before['shop.db'])
    expect(Object.keys(after).filter((name) => name.startsWith('shop'))).toEqual(['shop.db'])
  })

  it('says nothing about a backup that could not be drilled', async () => {
    const { deps, carryOut: carryOutHere } = workshop
    const taken = await carryOutHere(acceptBackup(deps, { target: 'shop' }, CALLER))
    assert.ok(taken.backupId)
    await place.fill(MIB, [process.pid])
    for (const level of ['restore', 'structure'] as const) {
      const drill = await carryOutHere(acceptVerify(deps, taken.backupId, { level }, CALLER))
      expect(drill).toMatchObject({ state: 'failed', error: { code: 'TEMPORARY_SPACE_FULL' } })
      expect((await deps.catalog.backups.get(taken.backupId)).status).toBe('completed')
    }
    await place.relax()
    const drill = await carryOutHere(acceptVerify(deps, taken.backupId, { level: 'restore' }, CALLER))
    expect(drill.state).toBe('completed')
  })
})

describe('a destination without space', () => {
  let place: TightPlace
  let workshop: Workshop
  let spoil: { readonly step: 'stage' | 'swap' | 'undo'; readonly leaveBytes: number } | null = null
  let backupId: string
  let wanted: string

  beforeAll(async () => {
    place = await makeTightPlace(64 * MIB)
    workshop = await openWorkshop({
      roots: [place.path],
      aroundDriver: (driver) => {
        const spoilAt = async (step: string) => {
          if (spoil?.step !== step) return
          await place.fill(Math.max(spoil.leaveBytes, place.leastBytes), [process.pid])
        }
        return over(driver, {
          stage: (...args) => spoilAt('stage').then(() => driver.stage(...args)),
          swap: (...args) => spoilAt('swap').then(() => driver.swap(...args)),
          undo: (...args) => spoilAt('undo').then(() => driver.undo(...args)),
        })
      },
    })
    const { deps, directory } = workshop
    makeDatabase(join(directory, 'shop.db'), versionOf('new'), 2 * RECORDS)
    wanted = digestOf(join(directory, 'shop.db'))
    await mkdir(join(directory, 'uploads'))
    await writeFile(join(directory, 'uploads', 'video'), randomBytes(12 * MIB))
    await registerTarget(deps, { name: 'shop', url: sqliteUrl(join(directory, 'shop.db')) })
    const include = [join(directory, 'uploads')]
    const taken = await workshop.carryOut(acceptBackup(deps, { target: 'shop', include }, CALLER))
    assert.ok(taken.backupId)
    backupId = taken.backupId
  })
  beforeEach(() => mkdir(home()))
  afterEach(async () => {
    spoil = null
    await place.relax()
    await rm(home(), { recursive: true })
  })
  afterAll(async () => {
    await workshop?.close()
    await place.remove()
  })

  const home = () => join(place.path, 'home')
  const file = () => join(home(), 'app.db')
  const restore = () => {
    const url = sqliteUrl(file())
    const asked = { into: { url }, dryRun: false, overwrite: true, confirm: url }
    return workshop.carryOut(acceptRestore(workshop.deps, backupId, asked, CALLER))
  }
  /** What a person finds there, but for what looking into the database leaves. */
  const visible = async () => (await readdir(home())).filter((name) => !/-(wal|shm)$/.test(name)).toSorted()

  it.each([
    ['is there from the begin', null, MIB],
    ['comes while the database is staged', 'stage', MIB],
    ['comes while the files are staged', 'stage', 8 * MIB],
    ['comes before the swap', 'swap', MIB],
    ['comes before the swap, to the last byte', 'swap', 64 * 1024],
  ] as const)('that %s fails the restore and changes nothing', async (_when, step, leaveBytes) => {
    makeDatabase(file(), versionOf('old'), 2 * RECORDS)
    rewriteDatabase(file(), versionOf('older'))
    const before = digestOf(file())
    const names = await visible()
    spoil = step === null ? null : { step, leaveBytes }
    if (step === null) await place.fill(leaveBytes, [process.pid])
    const failed = await restore()
    await place.relax()
    expect(failed).toMatchObject({
      state: 'failed',
      error: { code: expect.stringMatching(/SPACE_FULL|UNREACHABLE/) },
    })
    expect(digestOf(file())).toEqual(before)
    expect(integrityOf(file())).toBe('ok')
    expect(await visible()).toEqual(names)
    spoil = null
    expect((await restore()).error).toBeNull()
    expect(digestOf(file())).toEqual(wanted)
  })

  it('where nothing was, leaves nothing', async () => {
    for (const leaveBytes of [MIB, 8 * MIB]) {
      spoil = { step: 'stage', leaveBytes }
      const failed = await restore()
      await place.relax()
      expect(failed).toMatchObject({ state: 'failed', error: { code: 'TEMPORARY_SPACE_FULL' } })
      expect(await visible()).toEqual([])
    }
  })

  it('does not matter to files that lie on several file systems', async () => {
    const { deps, directory } = workshop
    const elsewhere = join(home(), 'elsewhere')
    await mkdir(elsewhere)
    await writeFile(join(elsewhere, 'letter'), 'dear reader')
    const include = [join(directory, 'uploads'), elsewhere]
    const taken = await workshop.carryOut(acceptBackup(deps, { target: 'shop', include }, CALLER))
    assert.ok(taken.backupId)
    await writeFile(join(elsewhere, 'letter'), 'changed')
    const asked = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const restored = await workshop.carryOut(acceptRestore(deps, taken.backupId, asked, CALLER))
    expect(restored.error).toBeNull()
    expect(await readFile(join(elsewhere, 'letter'), 'utf8')).toBe('dear reader')
    expect(await readdir(join(directory, 'uploads'))).toEqual(['video'])
    expect(await visible()).toEqual([`.elsewhere.holdfast-${restored.id}.replaced`, 'elsewhere'])
  })

  it('fails an undo, which can be asked for again', async () => {
    makeDatabase(file(), versionOf('old'), 2 * RECORDS)
    const before = digestOf(file())
    const restored = await restore()
    expect(restored.error).toBeNull()
    spoil = { step: 'undo', leaveBytes: MIB }
    const undo = () => workshop.carryOut(acceptUndo(workshop.deps, restored.id, CALLER))
    const failed = await undo()
    await place.relax()
    expect(failed).toMatchObject({
      state: 'failed',
      error: { code: expect.stringMatching(/SPACE_FULL|UNREACHABLE/) },
    })
    expect(digestOf(file())).toEqual(wanted)
    spoil = null
    expect((await undo()).error).toBeNull()
    expect(digestOf(file())).toEqual(before)
    expect(integrityOf(file())).toBe('ok')
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
