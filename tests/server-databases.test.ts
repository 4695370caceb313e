import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { addShelf, startShelfSystem } from './support/shelf-system.ts'
import type { System } from './support/system.ts'
import { carryOut, finished } from './support/system.ts'

let system: System
beforeAll(async () => {
  system = await startShelfSystem()
})
afterAll(() => system.stop())

describe('one database of a server', () => {
  beforeAll(async () => {
    await addShelf(system, 'single', ['shop', 'blog'])
    makeDatabase(join(system.directory, 'plain.db'), 'plain', 5)
    const url = `shelf://${system.directory}/plain`
    expect((await system.call('POST', '/v1/targets', { name: 'plain', url })).status).toBe(201)
  })

  it('is backed up by its name, and found by it', async () => {
    const before = await system.call('GET', '/v1/backups/latest?target=single&database=shop')
    expect(before.body).toMatchObject({ status: 404, code: 'BACKUP_NOT_FOUND' })
    const body = { target: 'single', database: 'shop', name: 'shop-first' }
    const done = await carryOut(system, '/v1/backups', body)
    expect(done).toMatchObject({ state: 'completed', request: { database: 'shop', groupId: null } })
    await carryOut(system, '/v1/backups', { target: 'single', database: 'blog' })
    const found = await system.call('GET', '/v1/backups/latest?target=single&database=shop')
    expect(found.body).toMatchObject({ id: done.backupId, database: 'shop', groupId: null })
    const any = await system.call('GET', '/v1/backups/latest?target=single')
    expect(any.body).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
      hint: expect.stringContaining('blog'),
    })
    const { body: listed } = await system.call('GET', '/v1/backups?target=single&database=blog')
    expect(listed.items.map((backup: { database: string }) => backup.database)).toEqual(['blog'])
  })

  it.each([
    [
      'a name that no database can have',
      { target: 'single', database: '../plain' },
      422,
      'INVALID_CONNECTION',
    ],
    ['a database of a target that is one', { target: 'plain', database: 'x' }, 400, 'INVALID_REQUEST'],
    ['a format that the engine has not', { target: 'single', format: 'tar' }, 400, 'INVALID_REQUEST'],
  ])('is refused: %s', async (_what, body, status, code) => {
    expect((await system.call('POST', '/v1/backups', body)).body).toMatchObject({ status, code })
  })

  it('fails by itself if it is not there', async () => {
    const done = await carryOut(system, '/v1/backups', { target: 'single', database: 'nobody' })
    expect(done.error).toMatchObject({ code: 'DATABASE_NOT_FOUND' })
  })

  it('takes no options of servers', async () => {
    const url = `shelf://${system.directory}/plain`
    const options = { parallelDatabases: 3 }
    const refused = { status: 400, code: 'INVALID_REQUEST' }
    const added = await system.call('POST', '/v1/targets', { name: 'plain-2', url, options })
    expect(added.body).toMatchObject(refused)
    expect((await system.call('PATCH', '/v1/targets/plain', { options })).body).toMatchObject(refused)
    await addShelf(system, 'shrinking', ['a'], options)
    expect((await system.call('PATCH', '/v1/targets/shrinking', { url })).body).toMatchObject(refused)
    expect((await system.call('PATCH', '/v1/targets/shrinking', { url, options: {} })).status).toBe(200)
  })
})

describe('a restore into a server', () => {
  let backupId = ''
  let directory = ''
  beforeAll(async () => {
    directory = await addShelf(system, 'into', ['shop', 'blog'])
    const { body: group } = await system.call('POST', '/v1/backups', { target: 'into' })
    const done = await finished(system, group.id)
    backupId = done.result.members.find((member: { database: string }) => member.database === 'shop').backupId
  })
  const file = (database: string) => join(directory, `${database}.db`)
  const restore = (body: object) =>
    carryOut(system, `/v1/backups/${backupId}/restore`, { dryRun: false, ...body })

  it('goes to the database of the backup, and is confirmed by its name', async () => {
    const wanted = rowsOf(file('shop'))
    rewriteDatabase(file('shop'), 'changed')
    const changed = rowsOf(file('shop'))
    const consent = { into: { target: 'into' }, overwrite: true }
    const wrong = await restore({ ...consent, confirm: 'into' })
    expect(wrong.error).toMatchObject({
      code: 'CONFIRMATION_REQUIRED',
      hint: expect.stringContaining("'shop'"),
    })
    const done = await restore({ ...consent, confirm: 'shop' })
    expect(done).toMatchObject({
      state: 'completed',
      request: { into: { target: 'into', database: 'shop' } },
    })
    expect(rowsOf(file('shop'))).toEqual(wanted)
    expect((await carryOut(system, `/v1/operations/${done.id}/undo`, undefined)).error).toBeNull()
    expect(rowsOf(file('shop'))).toEqual(changed)
  })

  it('goes to another one that is named, there or not', async () => {
    const wanted = rowsOf(file('shop')).length
    expect((await restore({ into: { target: 'into', database: 'new one' } })).error).toBeNull()
    expect(rowsOf(file('new one'))).toHaveLength(wanted)
    const untold = await restore({ into: { target: 'into', database: 'blog' } })
    expect(untold.error).toMatchObject({ code: 'DESTINATION_EXISTS' })
  })

  it('is refused without a database, and with one where there is none', async () => {
    const alone = await carryOut(system, '/v1/backups', { target: 'plain' })
    const path = (id: string) => `/v1/backups/${id}/restore`
    const refused = { status: 400, code: 'INVALID_REQUEST' }
    const cases = [
      [alone.backupId, { target: 'into' }],
      [backupId, { target: 'plain', database: 'x' }],
      [backupId, { url: `shelf://${directory}/` }],
    ] as const
    for (const [id, into] of cases)
      expect((await system.call('POST', path(id), { into })).body).toMatchObject(refused)
    const odd = await system.call('POST', path(backupId), { into: { target: 'into', database: 'a/b' } })
    expect(odd.body).toMatchObject({ status: 422, code: 'INVALID_CONNECTION' })
  })

  it('puts included directories where they came from for the same database alone', async () => {
    const files = join(system.directory, 'uploads')
    mkdirSync(files)
    writeFileSync(join(files, 'one'), 'as it was')
    const place = await addShelf(system, 'filed', ['a', 'b'], { include: [files] })
    const group = await carryOut(system, '/v1/backups', { target: 'filed' })
    const { body: listed } = await system.call('GET', `/v1/backups?group=${group.id}`)
    const counts = listed.items.map((backup: { fileCount: number }) => backup.fileCount)
    expect(counts.toSorted()).toEqual([0, 1])
    const carrier = listed.items.find((backup: { fileCount: number }) => backup.fileCount === 1)
    writeFileSync(join(files, 'one'), 'changed')
    const path = `/v1/backups/${carrier.id}/restore`
    const copied = await carryOut(system, path, {
      into: { target: 'filed', database: 'copy' },
      dryRun: false,
    })
    expect(copied.error).toBeNull()
    expect(readFileSync(join(files, 'one'), 'utf8')).toBe('changed')
    expect(readFileSync(join(place, 'copy.db.files', 'uploads', 'one'), 'utf8')).toBe('as it was')
    const consent = { dryRun: false, overwrite: true, confirm: carrier.database }
    expect((await carryOut(system, path, { into: { target: 'filed' }, ...consent })).error).toBeNull()
    expect(readFileSync(join(files, 'one'), 'utf8')).toBe('as it was')
  })

  it('excludes backups of the same database, and of no other', async () => {
    const { body: slow } = await system.call('POST', '/v1/backups', { target: 'into', database: 'shop' })
    const [same, other] = await Promise.all([
      system.call('POST', `/v1/backups/${backupId}/restore`, { into: { target: 'into' } }),
      system.call('POST', '/v1/backups', { target: 'into', database: 'blog' }),
    ])
    for (const { id } of [slow, same.body, other.body]) expect((await finished(system, id)).error).toBeNull()
  })
})

describe('members', () => {
  it('are verified, downloaded, kept and deleted like any backup, and counted by database', async () => {
    await addShelf(system, 'life', ['a', 'b'])
    const group = await carryOut(system, '/v1/backups', { target: 'life' })
    const [a, b] = group.result.members
    const drill = await carryOut(system, `/v1/backups/${a.backupId}/verify`, { level: 'restore' })
    expect(drill.error).toBeNull()
    expect((await system.call('GET', `/v1/backups/${a.backupId}/download`)).status).toBe(200)
    const { body: stats } = await system.call('GET', '/v1/stats')
    const newest = stats.newest.filter(({ target }: { target: string }) => target === 'life')
    expect(newest.map(({ database }: { database: string }) => database)).toEqual(['a', 'b'])
    const { body: metrics } = await system.call('GET', '/metrics')
    expect(metrics).toMatch(/newest_backup_age_seconds\{target="life",database="a"\} \d/)
    expect((await system.call('DELETE', `/v1/backups/${b.backupId}`)).status).toBe(200)
    const { body: left } = await system.call('GET', `/v1/backups?group=${group.id}`)
    expect(left.items.map(({ id }: { id: string }) => id)).toEqual([a.backupId])
    const { body: done } = await system.call('GET', `/v1/operations/${group.id}`)
    expect(done.result.members).toEqual(group.result.members)
  })
})
