import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rowsOf } from './support/databases.ts'
import type { System } from './support/system.ts'
import { carryOut, sqliteUrl, startSystem } from './support/system.ts'

describe('the service', () => {
  let system: System
  let file: string

  beforeAll(async () => {
    system = await startSystem()
    file = join(system.directory, 'shop.db')
    makeDatabase(file, 'item', 1000)
    const added = await system.call('POST', '/v1/targets', { name: 'shop', url: sqliteUrl(file) })
    expect(added.status).toBe(201)
  })

  afterAll(() => system.stop())

  it('backs up, drills, restores elsewhere, and shows each step', async () => {
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', verify: 'restore' })
    expect(backup).toMatchObject({ type: 'backup', state: 'completed', error: null })
    const { body: listed } = await system.call('GET', '/v1/backups/latest?target=shop')
    expect(listed).toMatchObject({
      id: backup.backupId,
      status: 'completed',
      recordCount: 1000,
      rowCounts: { orders: 1000 },
      verification: { level: 'restore', valid: true },
    })

    const verified = await carryOut(system, `/v1/backups/${listed.id}/verify`, { level: 'restore' })
    expect(verified).toMatchObject({ state: 'completed', result: { verification: { valid: true } } })

    const copy = join(system.directory, 'copy.db')
    const restored = await carryOut(system, `/v1/backups/${listed.id}/restore`, {
      into: { url: sqliteUrl(copy) },
      dryRun: false,
    })
    expect(restored).toMatchObject({
      state: 'completed',
      result: { recordsRestored: 1000, filesRestored: 0, restoredFrom: listed.id, replaced: null },
    })
    expect(rowsOf(copy)).toEqual(rowsOf(file))
  })

  it('replaces live data only when told to, keeps it aside, and brings it back', async () => {
    const before = rowsOf(file)
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', note: 'before the change' })
    change(file)
    const after = rowsOf(file)
    const path = `/v1/backups/${backup.backupId}/restore`

    const dry = await carryOut(system, path, { into: { target: 'shop' } })
    expect(dry.result).toMatchObject({ dryRun: true, requires: { overwrite: true, confirm: 'shop' } })
    const unasked = await carryOut(system, path, { into: { target: 'shop' }, dryRun: false })
    expect(unasked).toMatchObject({ state: 'failed', error: { code: 'DESTINATION_EXISTS' } })
    const unconfirmed = await carryOut(system, path, {
      into: { target: 'shop' },
      dryRun: false,
      overwrite: true,
    })
    expect(unconfirmed).toMatchObject({ state: 'failed', error: { code: 'CONFIRMATION_REQUIRED' } })
    expect(rowsOf(file)).toEqual(after)

    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const restored = await carryOut(system, path, consent)
    expect(restored.state).toBe('completed')
    expect(rowsOf(file)).toEqual(before)

    const undone = await carryOut(system, `/v1/operations/${restored.id}/undo`, undefined)
    expect(undone).toMatchObject({ state: 'completed' })
    expect(rowsOf(file)).toEqual(after)
  })

  it('stores included directories beside the database and restores both', async () => {
    const uploads = join(system.directory, 'uploads')
    await mkdir(join(uploads, 'deep'), { recursive: true })
    await writeFile(join(uploads, 'a.txt'), 'one')
    await writeFile(join(uploads, 'deep', 'b.bin'), Buffer.from([0, 255]))
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', include: [uploads] })
    expect(backup).toMatchObject({ state: 'completed', result: { fileCount: 2 } })

    const copy = join(system.directory, 'with-files.db')
    const restored = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, {
      into: { url: sqliteUrl(copy) },
      dryRun: false,
      filesInto: join(system.directory, 'restored-files'),
    })
    expect(restored).toMatchObject({ state: 'completed', result: { filesRestored: 2 } })
    expect(await readFile(join(system.directory, 'restored-files', 'uploads', 'a.txt'), 'utf8')).toBe('one')

    await writeFile(join(uploads, 'a.txt'), 'two')
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const inPlace = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, consent)
    expect(inPlace.state).toBe('completed')
    expect(await readFile(join(uploads, 'a.txt'), 'utf8')).toBe('one')
    await carryOut(system, `/v1/operations/${inPlace.id}/undo`, undefined)
    expect(await readFile(join(uploads, 'a.txt'), 'utf8')).toBe('two')
  })

  it('leaves the database and its own data out of an included directory that holds them', async () => {
    await writeFile(join(system.directory, 'beside.txt'), 'kept')
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', include: [system.directory] })
    expect(backup).toMatchObject({ state: 'completed', error: null })
    const into = { url: sqliteUrl(join(system.directory, 'again.db')) }
    const filesInto = join(system.directory, 'all-files')
    const restored = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, {
      into,
      filesInto,
      dryRun: false,
    })
    expect(restored.error).toBeNull()
    const [folder = ''] = await readdir(filesInto)
    const names = await readdir(join(filesInto, folder))
    expect(names).toContain('beside.txt')
    expect(names).not.toContain('data')
    expect(names.filter((name) => name.startsWith('shop.db'))).toEqual([])
  })

  it('takes no keys, catalog or backups of its own with a backup, and restores over none', async () => {
    const { dataDir } = system
    await mkdir(join(dataDir, 'redis'), { recursive: true })
    for (const own of [
      dataDir,
      join(dataDir, 'storage'),
      join(dataDir, 'storage', 'shop'),
      join(dataDir, 'redis'),
    ]) {
      const backup = await carryOut(system, '/v1/backups', { target: 'shop', include: [own] })
      expect(backup, own).toMatchObject({ state: 'failed', error: { code: 'PATH_NOT_ALLOWED' } })
    }
    const { body: latest } = await system.call('GET', '/v1/backups/latest?target=shop')
    for (const own of ['catalog.db', 'master.key', 'storage/shop/new.db']) {
      const into = { url: sqliteUrl(join(dataDir, own)) }
      const over = await carryOut(system, `/v1/backups/${latest.id}/restore`, { into })
      expect(over, own).toMatchObject({ state: 'failed', error: { code: 'PATH_NOT_ALLOWED' } })
    }
    const mine = join(dataDir, 'mine')
    await mkdir(mine)
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', include: [mine] })
    expect(backup.error).toBeNull()
  })

  it('moves neither the database nor its own data away with a directory that is restored', async () => {
    const path = join(system.directory, 'app')
    const uploads = join(path, 'storage')
    await mkdir(uploads, { recursive: true })
    await writeFile(join(uploads, 'a.txt'), 'one')
    const database = join(path, 'app.db')
    makeDatabase(database, 'item', 10)
    await system.call('POST', '/v1/targets', { name: 'app', url: sqliteUrl(database) })
    const restore = async (include: readonly string[], asked: object) => {
      const backup = await carryOut(system, '/v1/backups', { target: 'app', include })
      expect(backup.error).toBeNull()
      const consent = { into: { target: 'app' }, dryRun: false, overwrite: true, confirm: 'app' }
      return carryOut(system, `/v1/backups/${backup.backupId}/restore`, { ...consent, ...asked })
    }
    const inPlace = await restore([path], {})
    expect(inPlace.error).toMatchObject({
      code: 'INVALID_REQUEST',
      hint: expect.stringContaining('filesInto'),
    })
    const overOurs = await restore([uploads], { filesInto: system.dataDir })
    expect(overOurs.error).toMatchObject({ code: 'PATH_NOT_ALLOWED' })
    const elsewhere = await restore([path], { filesInto: join(system.directory, 'app-files') })
    expect(elsewhere.error).toBeNull()
  })

  it('restores and undoes directories of which one holds another', async () => {
    const outer = join(system.directory, 'outer')
    const inner = join(outer, 'inner')
    await mkdir(inner, { recursive: true })
    const write = async (text: string) => {
      for (const folder of [outer, inner]) await writeFile(join(folder, 'file'), text)
    }
    const read = () => Promise.all([outer, inner].map((folder) => readFile(join(folder, 'file'), 'utf8')))
    for (const include of [
      [inner, outer],
      [outer, inner],
      [outer, `${outer}/`],
    ]) {
      await write('old')
      const backup = await carryOut(system, '/v1/backups', { target: 'shop', include })
      await write('new')
      const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
      const restored = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, consent)
      expect(restored.error).toBeNull()
      expect(await read()).toEqual(['old', 'old'])
      await carryOut(system, `/v1/operations/${restored.id}/undo`, undefined)
      expect(await read()).toEqual(['new', 'new'])
      expect((await readdir(outer)).toSorted()).toEqual(['file', 'inner'])
    }
  })

  it('lists a backup as damaged once a restore found it so, until it is repaired', async () => {
    const sound = await carryOut(system, '/v1/backups', { target: 'shop', note: 'sound' })
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', note: 'damaged' })
    const path = `/v1/backups/${backup.backupId}`
    const { body: before } = await system.call('GET', path)
    const [name = ''] = (await readdir(before.storagePath)).filter((each) => each.startsWith('data-'))
    const artifact = join(before.storagePath, name)
    const bytes = await readFile(artifact)
    await writeFile(artifact, bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 1))

    const into = { url: sqliteUrl(join(system.directory, 'never.db')) }
    const restored = await carryOut(system, `${path}/restore`, { into, dryRun: false })
    expect(restored).toMatchObject({ state: 'failed', error: { code: 'ARTIFACT_CORRUPT' } })
    expect((await system.call('GET', path)).body).toMatchObject({
      status: 'damaged',
      verification: { level: 'checksum', valid: false },
    })
    const { body: latest } = await system.call('GET', '/v1/backups/latest?target=shop')
    expect(latest.id).toBe(sound.backupId)

    await writeFile(artifact, bytes)
    await carryOut(system, `${path}/verify`, { level: 'restore' })
    expect((await system.call('GET', path)).body.status).toBe('completed')
  })

  it('refuses at once what cannot be stored where it was asked for', async () => {
    const refused = await system.call('POST', '/v1/backups', { target: 'shop', storage: 'elsewhere' })
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } })
    expect(refused.body.hint).toContain('default')
  })

  it('undoes restores in the opposite order only', async () => {
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const { backupId } = await carryOut(system, '/v1/backups', { target: 'shop', note: 'twice' })
    const before = rowsOf(file)
    const first = await carryOut(system, `/v1/backups/${backupId}/restore`, consent)
    change(file)
    const second = await carryOut(system, `/v1/backups/${backupId}/restore`, consent)
    const refused = await system.call('POST', `/v1/operations/${first.id}/undo`)
    expect(refused).toMatchObject({ status: 409, body: { code: 'UNDO_NOT_POSSIBLE' } })
    expect(refused.body.hint).toContain(second.id)
    for (const { id } of [second, first]) {
      expect((await carryOut(system, `/v1/operations/${id}/undo`, undefined)).state).toBe('completed')
    }
    expect(rowsOf(file)).toEqual(before)
  })

  it('deletes a backup with its objects and keeps a tombstone', async () => {
    const backup = await carryOut(system, '/v1/backups', { target: 'shop', note: 'to be deleted' })
    const deleted = await system.call('DELETE', `/v1/backups/${backup.backupId}`)
    expect(deleted.status).toBe(200)
    expect(deleted.body.bytesFreed).toBeGreaterThan(0)
    const { body } = await system.call('GET', `/v1/backups/${backup.backupId}`)
    expect(body.status).toBe('deleted')
    const again = await carryOut(system, '/v1/backups', { target: 'shop', note: 'another' })
    const refused = await system.call('POST', `/v1/backups/${backup.backupId}/restore`, {
      into: { target: 'shop' },
    })
    expect(refused).toMatchObject({ status: 409, body: { code: 'BACKUP_NOT_USABLE' } })
    expect(again.state).toBe('completed')
  })
})

function change(path: string): void {
  const database = new DatabaseSync(path)
  database.exec("DELETE FROM orders WHERE id > 900; UPDATE orders SET item = 'changed' WHERE id < 10")
  database.close()
}
