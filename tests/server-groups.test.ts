import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rowsOf } from './support/databases.ts'
import { addShelf, membersOf, startShelfSystem, untilMember } from './support/shelf-system.ts'
import type { System } from './support/system.ts'
import { carryOut, finished } from './support/system.ts'

let system: System
beforeAll(async () => {
  system = await startShelfSystem()
})
afterAll(() => system.stop())

const HOSTILE = ["it's 100% odd", '-Fc', 'host=127.0.0.1 port=1', 'Üñï 😀', '$(touch x)', 'a*b?c', 'x..']

describe('a backup of a server', () => {
  it('is one operation with a backup of each database, whatever it is called', async () => {
    const directory = await addShelf(system, 'hostile', HOSTILE)
    const group = await carryOut(system, '/v1/backups', {
      target: 'hostile',
      labels: { run: '1' },
      retain: '30d',
    })
    expect(group).toMatchObject({
      ...{ type: 'backup', target: 'hostile', state: 'completed', backupId: null, error: null, attempts: 1 },
      request: { database: null, groupId: null },
      result: { completed: HOSTILE.length, failed: 0 },
      progress: { objects: HOSTILE.length, totalObjects: HOSTILE.length, percent: 100 },
    })
    expect(group.result.members.map((member: { database: string }) => member.database)).toEqual(
      HOSTILE.toSorted(),
    )
    const { body: listed } = await system.call('GET', `/v1/backups?group=${group.id}&limit=200`)
    expect(listed.total).toBe(HOSTILE.length)
    for (const backup of listed.items) {
      expect(backup).toMatchObject({
        status: 'completed',
        groupId: group.id,
        labels: { run: '1' },
        retain: '30d',
      })
      const copy = join(system.directory, `copy-${backup.id}.db`)
      const asShelf = { url: `shelf://${system.directory}/copy-${backup.id}` }
      const restored = await carryOut(system, `/v1/backups/${backup.id}/restore`, {
        into: asShelf,
        dryRun: false,
      })
      expect(restored.error).toBeNull()
      expect(rowsOf(copy)).toEqual(rowsOf(join(directory, `${backup.database}.db`)))
      const { body: manifest } = await system.call('GET', `/v1/backups/${backup.id}/manifest`)
      expect(manifest).toMatchObject({ database: backup.database, groupId: group.id })
    }
  })

  it('is asked for once, however often, and refused a name', async () => {
    await addShelf(system, 'often', ['a', 'b'])
    const asked = await Promise.all(
      Array.from({ length: 5 }, () => system.call('POST', '/v1/backups', { target: 'often' })),
    )
    expect(new Set(asked.map(({ body }) => body.id)).size).toBe(1)
    await finished(system, asked[0]?.body.id)
    const { body: listed } = await system.call('GET', '/v1/backups?target=often')
    expect(listed.total).toBe(2)
    const named = await system.call('POST', '/v1/backups', { target: 'often', name: 'nightly' })
    expect(named.body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' })
  })

  it('takes what its patterns select, and tells of those that match nothing', async () => {
    const databases = { include: ['shop*', 'crm', 'nobody*'], exclude: ['*_old'] }
    await addShelf(system, 'picky', ['shop', 'shop_eu', 'shop_old', 'crm', 'test'], { databases })
    const check = await system.call('POST', '/v1/targets/picky/check')
    expect(check.body).toMatchObject({ databases: ['crm', 'shop', 'shop_eu'] })
    expect(check.body.warnings).toEqual(['no database matches nobody*'])
    const group = await carryOut(system, '/v1/backups', { target: 'picky' })
    expect(group).toMatchObject({
      state: 'completed',
      result: { completed: 3, warnings: check.body.warnings },
    })
  })

  it('fails if nothing is to be backed up, and names what is missing', async () => {
    await addShelf(system, 'none', ['a'], { databases: { include: ['b*'] } })
    const group = await carryOut(system, '/v1/backups', { target: 'none' })
    expect(group).toMatchObject({ state: 'failed', error: { code: 'DATABASE_NOT_FOUND' } })
    const { body: check } = await system.call('POST', '/v1/targets/none/check')
    expect(check.databases).toEqual([])
    expect(check.warnings).toHaveLength(2)
    const patched = await system.call('PATCH', '/v1/targets/none', {
      options: { databases: { include: ['gone', 'a'] } },
    })
    expect(patched.status).toBe(200)
    const partly = await carryOut(system, '/v1/backups', { target: 'none' })
    expect(partly.error).toMatchObject({ code: 'GROUP_INCOMPLETE', detail: expect.stringContaining('gone') })
    expect(partly.result.members).toMatchObject([
      { database: 'a', state: 'completed', error: null },
      { database: 'gone', state: 'failed', error: { code: 'DATABASE_NOT_FOUND' } },
    ])
  })

  it('fails by the databases that fail, each with its reason, and keeps the others', async () => {
    const directory = await addShelf(system, 'partly', ['a', 'b', 'c', 'd', 'e'], { parallelDatabases: 1 })
    writeFileSync(join(directory, 'b.db'), 'no database at all\n'.repeat(100))
    const { body: group } = await system.call('POST', '/v1/backups', { target: 'partly' })
    await untilMember(system, group.id, ({ request }) => request.database === 'c')
    rmSync(join(directory, 'e.db'))
    const done = await finished(system, group.id)
    expect(done).toMatchObject({ state: 'failed', result: { completed: 3, failed: 2 } })
    expect(done.error).toMatchObject({
      code: 'GROUP_INCOMPLETE',
      detail: '2 of 5 databases have no backup: b, e',
    })
    const codes = done.result.members.map((member: { error: { code: string } | null }) => member.error?.code)
    expect(codes).toEqual([undefined, 'DATABASE_INVALID', undefined, undefined, 'DATABASE_NOT_FOUND'])
    const { body: usable } = await system.call('GET', '/v1/backups?target=partly&status=completed')
    expect(usable.items.map((backup: { database: string }) => backup.database)).toEqual(['d', 'c', 'a'])
  })

  it('carries what belongs to the server with one member that did not fail', async () => {
    const directory = await addShelf(system, 'globals', ['a', 'b', 'c'], { parallelDatabases: 1 })
    writeFileSync(join(directory, 'a.db'), 'no database at all\n'.repeat(100))
    const group = await carryOut(system, '/v1/backups', { target: 'globals', globals: 'without-passwords' })
    const asked = (await membersOf(system, group.id)).map(
      ({ request }: { request: { globals: string } }) => request.globals,
    )
    expect(asked).toEqual(['without-passwords', 'without-passwords', 'none'])
    const { body: backup } = await system.call('GET', '/v1/backups/latest?target=globals&database=b')
    const { body: manifest } = await system.call('GET', `/v1/backups/${backup.id}/manifest`)
    expect(manifest.artifacts.map(({ role }: { role: string }) => role)).toEqual(['data', 'globals'])
  })

  it('keeps its target from being removed, and the next one of its server waiting', async () => {
    await addShelf(system, 'busy', ['a', 'b slow'])
    const { body: first } = await system.call('POST', '/v1/backups', { target: 'busy' })
    await untilMember(system, first.id, ({ state }) => state === 'running')
    expect((await system.call('DELETE', '/v1/targets/busy')).body).toMatchObject({ code: 'TARGET_BUSY' })
    const { body: second } = await system.call('POST', '/v1/backups', {
      target: 'busy',
      kind: 'pre-migration',
    })
    await system.call('GET', `/v1/operations/${second.id}?wait=1`)
    expect(await membersOf(system, second.id)).toEqual([])
    const { body: waiting } = await system.call('GET', `/v1/operations/${first.id}`)
    expect(waiting).toMatchObject({ state: 'waiting', phase: 'members', attempts: 0 })
    for (const { id } of [second, first]) await system.call('POST', `/v1/operations/${id}/cancel`)
    await finished(system, first.id)
    expect((await finished(system, second.id)).state).toBe('cancelled')
    expect((await system.call('DELETE', '/v1/targets/busy')).status).toBe(204)
  })
})

describe('cancelling', () => {
  it('a group cancels its members, begun or not, and ends when they have', async () => {
    await addShelf(system, 'cancelled', ['1', '2 slow', '3 slow', '4', '5'])
    const { body: group } = await system.call('POST', '/v1/backups', { target: 'cancelled' })
    await untilMember(
      system,
      group.id,
      ({ request, state }) => request.database === '3 slow' && state === 'running',
    )
    expect((await system.call('POST', `/v1/operations/${group.id}/cancel`)).status).toBeLessThan(300)
    const done = await finished(system, group.id)
    expect(done).toMatchObject({ state: 'cancelled', error: { code: 'CANCELLED' } })
    const states = done.result.members.map((member: { state: string }) => member.state)
    expect(states).toEqual(['completed', 'cancelled', 'cancelled', 'cancelled', 'cancelled'])
    const members = await membersOf(system, group.id)
    expect(members.map(({ state }: { state: string }) => state)).toEqual([
      'completed',
      'cancelled',
      'cancelled',
    ])
  })

  it('a member leaves the group incomplete', async () => {
    await addShelf(system, 'alone', ['1', '2 slow', '3'])
    const { body: group } = await system.call('POST', '/v1/backups', { target: 'alone' })
    const slow = await untilMember(system, group.id, ({ request }) => request.database === '2 slow')
    await system.call('POST', `/v1/operations/${slow.id}/cancel`)
    const done = await finished(system, group.id)
    expect(done).toMatchObject({ state: 'failed', error: { code: 'GROUP_INCOMPLETE' } })
    expect(done.result).toMatchObject({ completed: 2, failed: 1 })
  })
})
