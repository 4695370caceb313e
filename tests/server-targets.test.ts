import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresRole, PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { System } from './support/system.ts'
import { carryOut, finished, startSystem } from './support/system.ts'

const HOSTILE = [
  '-Fc',
  'host=127.0.0.1 port=1',
  'it\'s 100% "odd"',
  'Üñï/code?#',
  ' ',
  '$(touch x)',
  'back\\slash',
  'a*b',
]
const PLAIN = Array.from({ length: 12 }, (_, index) => `db_${String(index).padStart(2, '0')}`)
const DATABASES = [...HOSTILE, ...PLAIN].toSorted()

let system: System
let server: PostgresServer
let owner: PostgresRole

beforeAll(async () => {
  ;[system, server] = await Promise.all([startSystem({ workers: 2 }), startPostgres()])
  owner = await server.createRole({ name: 'own er', password: "p@ss:w/o?r#d%'\\", attributes: 'SUPERUSER' })
  for (const database of DATABASES) {
    await server.createDatabase(database)
    await server.sql(database, 'CREATE TABLE here (name text); CREATE TABLE "b\\r" (n integer)')
    await server.sql(database, 'INSERT INTO here VALUES ($1)', [database])
    await server.sql(database, 'INSERT INTO "b\\r" SELECT generate_series(1, 100)')
  }
}, 120_000)
afterAll(() => Promise.all([system?.stop(), server?.stop()]))

/** The URL of the server as a whole. */
function serverUrl({ name, password }: PostgresRole): string {
  return `postgres://${encodeURIComponent(name)}:${encodeURIComponent(password)}@127.0.0.1:${server.port}`
}

async function addServer(name: string, options: object = {}, role = owner): Promise<void> {
  const { status, body } = await system.call('POST', '/v1/targets', { name, url: serverUrl(role), options })
  if (status !== 201) throw new Error(`target not added: ${JSON.stringify(body)}`)
}

const namesOf = (members: readonly { database: string }[]) => members.map(({ database }) => database)

describe('a PostgreSQL server with 20 databases', { timeout: 120_000 }, () => {
  it('is checked, listing what a backup would be of, without templates', async () => {
    await addServer('all', { databases: { exclude: ['postgres'] } })
    const { body: check } = await system.call('POST', '/v1/targets/all/check')
    expect(check).toMatchObject({ databases: DATABASES, version: expect.stringMatching(/^1\d/) })
    await addServer('some', { databases: { include: ['db_0?', '-*', 'nothing*'] } })
    const { body: some } = await system.call('POST', '/v1/targets/some/check')
    expect(some.databases).toEqual(['-Fc', ...PLAIN.slice(0, 10)])
    expect(some.warnings).toContain('no database matches nothing*')
  })

  it('is backed up as one group, each database by itself, two at a time', async () => {
    const { body: accepted } = await system.call('POST', '/v1/backups', {
      target: 'all',
      globals: 'without-passwords',
    })
    const watch = new AbortController()
    const most = mostWorkedOn(watch.signal)
    const group = await finished(system, accepted.id, 110_000)
    watch.abort()
    expect(group).toMatchObject({ state: 'completed', error: null, result: { completed: 20, failed: 0 } })
    expect(namesOf(group.result.members)).toEqual(DATABASES)
    expect(await most).toBeLessThanOrEqual(2)
    const { body: listed } = await system.call('GET', `/v1/backups?group=${group.id}&limit=200`)
    expect(new Set(namesOf(listed.items))).toEqual(new Set(DATABASES))
    let withGlobals = 0
    for (const backup of listed.items) {
      expect(backup).toMatchObject({ status: 'completed', recordCount: 101, verification: { valid: true } })
      const { body: manifest } = await system.call('GET', `/v1/backups/${backup.id}/manifest`)
      withGlobals += manifest.artifacts.filter(({ role }: { role: string }) => role === 'globals').length
    }
    expect(withGlobals).toBe(1)
  })

  it.each(HOSTILE)('restores %s under another name, with what only it holds', async (database) => {
    const query = `target=all&database=${encodeURIComponent(database)}`
    const { body: backup } = await system.call('GET', `/v1/backups/latest?${query}`)
    expect(backup.database).toBe(database)
    const into = { target: 'all', database: `copy of ${database}` }
    const done = await carryOut(system, `/v1/backups/${backup.id}/restore`, { into, dryRun: false })
    expect(done.error).toBeNull()
    expect(await server.sql(into.database, 'SELECT name FROM here')).toEqual([{ name: database }])
    await server.sql('postgres', `DROP DATABASE "${into.database.replaceAll('"', '""')}"`)
  })

  it('restores over a database when its name confirms it, and undoes that', async () => {
    await server.sql('db_03', "UPDATE here SET name = 'changed'")
    const { body: backup } = await system.call('GET', '/v1/backups/latest?target=all&database=db_03')
    const path = `/v1/backups/${backup.id}/restore`
    const consent = { into: { target: 'all' }, dryRun: false, overwrite: true }
    expect((await carryOut(system, path, { ...consent, confirm: 'all' })).error.code).toBe(
      'CONFIRMATION_REQUIRED',
    )
    const done = await carryOut(system, path, { ...consent, confirm: 'db_03' })
    expect(done.error).toBeNull()
    expect(await server.sql('db_03', 'SELECT name FROM here')).toEqual([{ name: 'db_03' }])
    expect((await carryOut(system, `/v1/operations/${done.id}/undo`, undefined)).error).toBeNull()
    expect(await server.sql('db_03', 'SELECT name FROM here')).toEqual([{ name: 'changed' }])
  })

  it('drills a member in a scratch database of the server, which is gone afterwards', async () => {
    const { body: backup } = await system.call('GET', '/v1/backups/latest?target=all&database=db_04')
    const drill = await carryOut(system, `/v1/backups/${backup.id}/verify`, { level: 'restore' })
    expect(drill.error).toBeNull()
    const { body: check } = await system.call('POST', '/v1/targets/all/check')
    expect(check.databases.filter((name: string) => !DATABASES.includes(name))).toEqual([])
  })

  it('fails by the databases that it may not read or that are gone, and keeps the others', async () => {
    const reader = await server.createRole({ name: 'reader', password: 'r' })
    await server.sql('postgres', 'GRANT pg_read_all_data TO reader')
    await server.sql('postgres', 'REVOKE CONNECT ON DATABASE db_05 FROM PUBLIC')
    await addServer('partly', { databases: { include: ['db_05', 'db_06', 'db_07', 'gone'] } }, reader)
    const group = await carryOut(system, '/v1/backups', { target: 'partly' })
    expect(group.error).toMatchObject({
      code: 'GROUP_INCOMPLETE',
      detail: '2 of 4 databases have no backup: db_05, gone',
    })
    const codes = group.result.members.map((member: { error: { code: string } | null }) => member.error?.code)
    expect(codes).toEqual(['DATABASE_ACCESS_DENIED', undefined, undefined, 'DATABASE_NOT_FOUND'])
  })

  it('is not read by a wrong password, and no password is told', async () => {
    await addServer('denied', {}, { name: owner.name, password: 'c4nary' })
    const group = await carryOut(system, '/v1/backups', { target: 'denied' })
    expect(group).toMatchObject({ state: 'failed', error: { code: 'DATABASE_ACCESS_DENIED' } })
    const { body: targets } = await system.call('GET', '/v1/targets')
    const told = JSON.stringify([group, targets]) + system.output()
    for (const { password } of [owner, { password: 'c4nary' }]) expect(told).not.toContain(password)
  })
})

/** How many databases were worked on at the same time at most, by what the server sees of it. */
async function mostWorkedOn(signal: AbortSignal): Promise<number> {
  let most = 0
  while (!signal.aborted) {
    const rows = await server.sql(
      'postgres',
      "SELECT DISTINCT datname FROM pg_stat_activity WHERE application_name LIKE 'holdfast-%'",
    )
    most = Math.max(most, rows.length)
    await sleep(20)
  }
  return most
}
