import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { integrityOf, makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { lockElsewhere } from './support/lock-elsewhere.ts'
import { addTarget, begun, startSlowSystem } from './support/slow-system.ts'
import { stillLife } from './support/still-life.ts'
import type { System } from './support/system.ts'
import { carryOut, finished, sqliteUrl } from './support/system.ts'

const SLOW_MS = 500

let system: System
beforeAll(async () => {
  system = await startSlowSystem(['shop'], { env: { HOLDFAST_TEST_SLOW_MS: String(SLOW_MS) } })
})
afterAll(() => system?.stop())

interface Finished {
  readonly id: string
  readonly state: string
  readonly startedAt: string
  readonly finishedAt: string
}

async function add(name: string, file: string): Promise<void> {
  expect((await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })).status).toBe(201)
}

/** Asks one after the other, and waits for all. */
async function askInTurn(requests: readonly (readonly [path: string, body: object])[]): Promise<Finished[]> {
  const ids: string[] = []
  for (const [path, body] of requests) {
    const { status, body: accepted } = await system.call('POST', path, body)
    expect({ status, accepted }).toMatchObject({ status: 202, accepted: { coalesced: false } })
    ids.push(accepted.id)
  }
  return Promise.all(ids.map((id) => finished(system, id)))
}

/** Each begins only when the one that was asked for before it is over. */
function expectInTurn(operations: readonly Finished[]): void {
  for (const [index, operation] of operations.entries()) {
    expect(operation).toMatchObject({ state: 'completed' })
    const before = operations[index - 1]
    if (before === undefined) continue
    expect(Date.parse(operation.startedAt)).toBeGreaterThanOrEqual(Date.parse(before.finishedAt))
  }
}

describe('one database under several names', () => {
  it('is worked on by one at a time, in the order of asking', async () => {
    const home = join(system.directory, 'home')
    await mkdir(home)
    await symlink(home, join(system.directory, 'link'))
    await symlink(join(system.directory, 'link'), join(system.directory, 'link-to-link'))
    makeDatabase(join(home, 'app.db'), 'one')
    await add('app', join(home, 'app.db'))
    await add('app-again', join(home, 'app.db'))
    await add('app-by-link', join(system.directory, 'link', 'app.db'))
    await add('app-by-links', join(system.directory, 'link-to-link', '..', 'home', '.', 'app.db'))
    const first = await carryOut(system, '/v1/backups', { target: 'app' })
    const into = { into: { target: 'app-by-link' }, dryRun: false, overwrite: true, confirm: 'app-by-link' }
    const url = sqliteUrl(join(system.directory, 'link-to-link', 'app.db'))
    const intoUrl = { into: { url }, dryRun: false, overwrite: true, confirm: url }
    const restore = `/v1/backups/${first.backupId}/restore`
    expectInTurn(
      await askInTurn([
        ['/v1/backups', { target: 'app', note: '1' }],
        ['/v1/backups', { target: 'app-by-link', note: '2' }],
        ['/v1/backups', { target: 'app-again', note: '3' }],
        [restore, into],
        ['/v1/backups', { target: 'app-by-links', note: '4' }],
        [restore, intoUrl],
        ['/v1/backups', { target: 'app', note: '5' }],
      ]),
    )
    expect(integrityOf(join(home, 'app.db'))).toBe('ok')
  })

  it('is known although its name came to lead to it only after it was registered', async () => {
    const [one, two] = [join(system.directory, 'one'), join(system.directory, 'two')]
    const moving = join(system.directory, 'moving')
    for (const directory of [one, two]) {
      await mkdir(directory)
      makeDatabase(join(directory, 'app.db'), directory)
    }
    await symlink(one, moving)
    await add('fixed', join(two, 'app.db'))
    await add('moving', join(moving, 'app.db'))
    await add('to-come', join(system.directory, 'to-come', 'app.db'))
    await symlink(two, `${moving}.new`)
    await rename(`${moving}.new`, moving)
    await symlink(two, join(system.directory, 'to-come'))
    const operations = await askInTurn([
      ['/v1/backups', { target: 'fixed', note: '1' }],
      ['/v1/backups', { target: 'moving', note: '2' }],
      ['/v1/backups', { target: 'to-come', note: '3' }],
      ['/v1/backups', { target: 'fixed', note: '4' }],
    ])
    const inOrder = operations.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt))
    expectInTurn(inOrder)
  })

  it('does not wait for another database', async () => {
    await addTarget(system, 'blog')
    const [shop, blog] = await askInTurn([
      ['/v1/backups', { target: 'shop', note: 'at the same time' }],
      ['/v1/backups', { target: 'blog' }],
    ])
    expect(Date.parse(blog?.startedAt ?? '')).toBeLessThan(Date.parse(shop?.finishedAt ?? ''))
  })
})

describe('equal requests', () => {
  it('are one operation and one backup, however many come at once', async () => {
    const total = async () => (await system.call('GET', '/v1/backups?target=shop')).body.total
    const before = await total()
    const ask = () => system.call('POST', '/v1/backups', { target: 'shop', labels: { a: '1', b: '2' } })
    const answers = await Promise.all(Array.from({ length: 10 }, ask))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    const [id, ...others] = new Set(answers.map(({ body }) => body.id))
    expect(others).toEqual([])
    expect(answers.filter(({ body }) => body.coalesced)).toHaveLength(9)
    const meanwhile = await system.call('POST', '/v1/backups', { labels: { b: '2', a: '1' }, target: 'shop' })
    expect(meanwhile.body).toMatchObject({ id, coalesced: true })
    expect((await finished(system, id)).state).toBe('completed')
    expect(await total()).toBe(before + 1)
    const later = await system.call('POST', '/v1/backups', { target: 'shop', labels: { a: '1', b: '2' } })
    expect(later.body.id).not.toBe(id)
    await finished(system, later.body.id)
  })

  it('before a migration are each carried out, and show what was written before', async () => {
    const file = join(system.directory, 'shop.db')
    const running = await begun(system, '/v1/backups', { target: 'shop', note: 'the one before' })
    insertRow(file, 'written while a backup ran')
    const ask = () => system.call('POST', '/v1/backups', { target: 'shop', kind: 'pre-migration' })
    const answers = await Promise.all([ask(), ask()])
    const ids = answers.map(({ body }) => body.id)
    expect(new Set([running, ...ids]).size).toBe(3)
    expect(answers.map(({ body }) => body.coalesced)).toEqual([false, false])
    const earlier = await finished(system, running)
    for (const id of ids) {
      const operation = await finished(system, id)
      expect(operation).toMatchObject({ state: 'completed', error: null })
      expect(operation.result.recordCount).toBe(earlier.result.recordCount + 1)
    }
  })

  it('are known by their Idempotency-Key, also when they are over', async () => {
    const body = { target: 'shop', kind: 'pre-migration', note: 'release 7' }
    const key = { 'idempotency-key': 'release-7' }
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => system.call('POST', '/v1/backups', body, key)),
    )
    const [id, ...others] = new Set(answers.map((answer) => answer.body.id))
    expect(others).toEqual([])
    await finished(system, id)
    const again = await system.call('POST', '/v1/backups', body, key)
    expect(again).toMatchObject({ status: 202, body: { id, coalesced: true, state: 'completed' } })
    const conflicts = [
      { ...body, note: 'release 8' },
      { ...body, target: 'blog' },
      { ...body, kind: 'manual' },
    ]
    for (const other of conflicts) {
      const refused = await system.call('POST', '/v1/backups', other, key)
      expect(refused).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } })
    }
    const { backupId } = await finished(system, id)
    const elsewhere = await system.call('POST', `/v1/backups/${backupId}/verify`, { level: 'checksum' }, key)
    expect(elsewhere).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } })
    const fresh = await system.call('POST', '/v1/backups', body, { 'idempotency-key': 'release-7b' })
    expect(fresh.body.id).not.toBe(id)
    await finished(system, fresh.body.id)
  })
})

describe('cancelling', () => {
  const cancel = (id: string) => system.call('POST', `/v1/operations/${id}/cancel`)

  it('takes a waiting backup out of the line at once, and the others go on', async () => {
    const first = await begun(system, '/v1/backups', { target: 'shop', note: 'runs' })
    const [{ body: second }, { body: third }] = [
      await system.call('POST', '/v1/backups', { target: 'shop', note: 'is cancelled' }),
      await system.call('POST', '/v1/backups', { target: 'shop', note: 'is not' }),
    ]
    const answer = await cancel(second.id)
    expect(answer).toMatchObject({ status: 202, body: { state: 'cancelled', error: { code: 'CANCELLED' } } })
    expect((await finished(system, first)).state).toBe('completed')
    expect((await finished(system, third.id)).state).toBe('completed')
    const { body: row } = await system.call('GET', `/v1/backups/${second.backupId}`)
    expect(row).toMatchObject({ status: 'failed', error: { code: 'CANCELLED' } })
    expect(await cancel(third.id)).toMatchObject({ status: 409, body: { code: 'OPERATION_FINISHED' } })
  })

  it('ends a running backup soon, with nothing left of it', async () => {
    const id = await begun(system, '/v1/backups', { target: 'shop', note: 'cancelled while it runs' })
    expect((await cancel(id)).status).toBe(202)
    const operation = await finished(system, id, 3000)
    expect(operation).toMatchObject({ state: 'cancelled', error: { code: 'CANCELLED' } })
    const folders = await readdir(join(system.dataDir, 'storage', 'shop'))
    expect(folders).not.toContain(operation.backupId)
    expect(await readdir(join(system.dataDir, 'storage', '.partial'))).toEqual([])
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
    expect((await carryOut(system, '/v1/backups', { target: 'shop' })).state).toBe('completed')
  })

  it('ends a running restore soon, and its destination is what it was', async () => {
    const home = join(system.directory, 'restores')
    await mkdir(home)
    makeDatabase(join(home, 'app.db'), 'old')
    await add('app-to-restore', join(home, 'app.db'))
    const backup = await carryOut(system, '/v1/backups', { target: 'app-to-restore' })
    rewriteDatabase(join(home, 'app.db'), 'new')
    const before = await stillLife(home)
    const path = `/v1/backups/${backup.backupId}/restore`
    const consent = { dryRun: false, overwrite: true, confirm: 'app-to-restore' }
    const id = await begun(system, path, { into: { target: 'app-to-restore' }, ...consent }, 'staging')
    expect((await cancel(id)).status).toBe(202)
    expect((await finished(system, id, 3000)).state).toBe('cancelled')
    expect(await stillLife(home)).toEqual(before)
    const undo = await system.call('POST', `/v1/operations/${id}/undo`)
    expect(undo).toMatchObject({ status: 409, body: { code: 'UNDO_NOT_POSSIBLE' } })
    const again = await carryOut(system, path, { into: { target: 'app-to-restore' }, ...consent })
    expect(again.error).toBeNull()
    expect(rowsOf(join(home, 'app.db'))[0]).toMatchObject({ item: 'old 0' })
    await rm(home, { recursive: true })
  })

  it('ends a restore that waits for a lock of somebody else', async () => {
    const file = await addTarget(system, 'locked')
    const backup = await carryOut(system, '/v1/backups', { target: 'locked' })
    rewriteDatabase(file, 'new')
    const before = rowsOf(file)
    const unlock = await lockElsewhere(file)
    const consent = { into: { target: 'locked' }, dryRun: false, overwrite: true, confirm: 'locked' }
    const id = await begun(system, `/v1/backups/${backup.backupId}/restore`, consent, 'swapping')
    await cancel(id)
    expect((await finished(system, id, 3000)).state).toBe('cancelled')
    await unlock()
    expect(rowsOf(file)).toEqual(before)
    expect((await readdir(system.directory)).filter((name) => name.startsWith('.locked'))).toEqual([])
    expect((await carryOut(system, '/v1/backups', { target: 'locked', note: 'after' })).error).toBeNull()
  })
})

function insertRow(file: string, item: string): void {
  const database = new DatabaseSync(file)
  database.prepare('INSERT INTO orders (item) VALUES (?)').run(item)
  database.close()
}
