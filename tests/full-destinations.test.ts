import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { acceptBackup, acceptRestore, acceptUndo, acceptVerify, registerTarget } from '@holdfast/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, integrityOf, makeDatabase, rewriteDatabase } from './support/databases.ts'
import { over } from './support/over.ts'
import { stillLife } from './support/still-life.ts'
import { sqliteUrl } from './support/system.ts'
import type { TightPlace } from './support/tight-place.ts'
import { makeTightPlace } from './support/tight-place.ts'
import type { Workshop } from './support/workshop.ts'
import { CALLER, openWorkshop } from './support/workshop.ts'

const MIB = 1024 * 1024
/** Rows of some 200 bytes: about 3 MB. */
const RECORDS = 14_000

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

function versionOf(name: string): string {
  return name.padEnd(200, '.')
}
