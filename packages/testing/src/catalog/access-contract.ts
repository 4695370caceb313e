import assert from 'node:assert/strict'
import type { AuditEntry } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { unused, useBench } from './bench.ts'
import type { CatalogSubject } from './subject.ts'

/** Keys, audit, schedules, storages and totals. */
export function describeAccess(subject: CatalogSubject): void {
  describe('keys, audit, schedules and totals', () => {
    const bench = useBench(subject)
    describeKeys(bench)
    describeAudit(bench)
    describeSchedules(bench)
    describeStorages(bench)
  })
  describeTotals(subject)
}

type Bench = () => CatalogBench

function describeKeys(bench: Bench): void {
  it('finds a key by its hash until it is revoked', async () => {
    const { catalog, clock } = bench()
    const sha256 = unused('hash')
    const key = await catalog.keys.add({ name: unused('key'), role: 'operator', sha256 })
    assert.equal(key.role, 'operator')
    assert.equal(key.createdAt, clock.iso())
    assert.equal(key.lastUsedAt, null)
    assert.ok(!JSON.stringify(key).includes(sha256))
    assert.deepEqual(await catalog.keys.find(sha256), { ...key, lastUsedAt: clock.iso() })
    assert.equal(await catalog.keys.find(unused('hash')), null)
    await catalog.keys.revoke(key.name)
    assert.equal(await catalog.keys.find(sha256), null)
    const listed = (await catalog.keys.list()).find(({ id }) => id === key.id)
    assert.equal(listed?.revokedAt, clock.iso())
    await rejectsWith('KEY_NOT_FOUND', catalog.keys.revoke(key.name))
    await rejectsWith('KEY_NOT_FOUND', catalog.keys.revoke('nobody'))
  })

  it('remembers the last use, once a minute at most', async () => {
    const { catalog, clock } = bench()
    const sha256 = unused('hash')
    await catalog.keys.add({ name: unused('key'), role: 'viewer', sha256 })
    const first = (await catalog.keys.find(sha256))?.lastUsedAt
    clock.advance(59_000)
    assert.equal((await catalog.keys.find(sha256))?.lastUsedAt, first)
    clock.advance(1000)
    assert.equal((await catalog.keys.find(sha256))?.lastUsedAt, clock.iso())
  })

  it('gives a name and a hash once, and a name again after it was revoked', async () => {
    const { keys } = bench().catalog
    const name = unused('key')
    const sha256 = unused('hash')
    await keys.add({ name, role: 'admin', sha256 })
    await rejectsWith('KEY_EXISTS', keys.add({ name, role: 'viewer', sha256: unused('hash') }))
    await rejectsWith('KEY_EXISTS', keys.add({ name: unused('key'), role: 'viewer', sha256 }))
    await keys.revoke(name)
    await rejectsWith('KEY_EXISTS', keys.add({ name: unused('key'), role: 'viewer', sha256 }))
    assert.equal((await keys.add({ name, role: 'viewer', sha256: unused('hash') })).revokedAt, null)
  })
}

function describeAudit(bench: Bench): void {
  it('keeps what was done, newest first', async () => {
    const { catalog, clock } = bench()
    const entries: Omit<AuditEntry, 'id' | 'at'>[] = []
    for (let index = 0; index < 3; index += 1) {
      const entry = {
        actor: 'ci',
        action: 'backup.delete',
        subject: `b${index}`,
        requestId: null,
        outcome: '202',
      }
      entries.unshift({ ...entry, requestId: index === 0 ? 'r-1' : null })
      await catalog.audit.add(entries[0] ?? entry)
    }
    const first = await catalog.audit.list({ limit: 2, cursor: null })
    const second = await catalog.audit.list({ limit: 2, cursor: first.nextCursor })
    const listed = [...first.items, ...second.items]
    assert.deepEqual(
      listed.map(({ id, at, ...entry }) => entry),
      entries,
    )
    assert.ok(listed.every(({ at }) => at === clock.iso()))
    assert.equal(new Set(listed.map(({ id }) => id)).size, 3)
    assert.equal(second.nextCursor, null)
    assert.equal(second.total, 3)
  })
}

function describeSchedules(bench: Bench): void {
  it('keeps, changes and removes schedules', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const asked = {
      id: unused('schedule'),
      target,
      cron: '0 2 * * *',
      timezone: 'Europe/Berlin',
      mode: 'full',
      enabled: true,
    }
    const added = await catalog.schedules.add(asked)
    assert.deepEqual(added, { ...asked, createdAt: clock.iso(), updatedAt: clock.iso() })
    clock.advance(1000)
    const changed = await catalog.schedules.change(added.id, { enabled: false, cron: '30 2 * * *' })
    assert.deepEqual(changed, { ...added, enabled: false, cron: '30 2 * * *', updatedAt: clock.iso() })
    assert.deepEqual(await catalog.schedules.get(added.id), changed)
    assert.deepEqual((await catalog.schedules.list({ limit: 1, cursor: null })).items, [changed])
    await catalog.schedules.remove(added.id)
    await rejectsWith('SCHEDULE_NOT_FOUND', catalog.schedules.get(added.id))
    await rejectsWith('SCHEDULE_NOT_FOUND', catalog.schedules.change(added.id, { enabled: true }))
    await rejectsWith('SCHEDULE_NOT_FOUND', catalog.schedules.remove(added.id))
  })

  it('goes with its target, and needs one', async () => {
    const { catalog } = bench()
    const target = await bench().target()
    const asked = {
      id: unused('schedule'),
      target,
      cron: '0 2 * * *',
      timezone: 'UTC',
      mode: 'full',
      enabled: true,
    }
    await catalog.schedules.add(asked)
    await catalog.targets.remove(target)
    await rejectsWith('SCHEDULE_NOT_FOUND', catalog.schedules.get(asked.id))
    await rejectsWith('TARGET_NOT_FOUND', catalog.schedules.add(asked))
  })
}

function describeStorages(bench: Bench): void {
  it('remembers a storage by the id that it had first', async () => {
    const openings = await bench().openings(2)
    const name = unused('storage')
    const results = await Promise.allSettled(
      openings.map((catalog, index) => catalog.knowStorage(name, `id-${index}`)),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    const known = results.findIndex(({ status }) => status === 'fulfilled')
    await bench().catalog.knowStorage(name, `id-${known}`)
    await rejectsWith('STORAGE_MISMATCH', bench().catalog.knowStorage(name, `id-${1 - known}`))
  })

  it('is one catalog by one id, however often it is opened', async () => {
    const openings = await bench().openings(2)
    assert.match(openings[0]?.id ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(openings[0]?.id, openings[1]?.id)
    await bench().catalog.ping()
  })
}

function describeTotals(subject: CatalogSubject): void {
  describe('totals', () => {
    const bench = useBench(subject)

    it('counts what there is', async () => {
      const { catalog, clock } = bench()
      const nothing = await catalog.stats()
      assert.deepEqual(
        [nothing.targets, nothing.storedBytes, nothing.sizeBytes, nothing.newest],
        [0, 0, 0, []],
      )
      const shop = await bench().target()
      const blog = await bench().target()
      const gone = await bench().target()
      await bench().completedBackup(gone)
      await catalog.targets.remove(gone)
      const older = await bench().completedBackup(shop, { consistentAt: clock.iso(-5000) })
      await bench().completedBackup(shop, { consistentAt: clock.iso(-1000) })
      await bench().failedBackup(shop)
      await bench().verify(await bench().completedBackup(blog), 'checksum', false)
      await bench().acceptBackup(blog)
      await catalog.backups.beginDelete(older.id, { evenIfPinned: false })
      await catalog.backups.endDelete(older.id)
      const stats = await catalog.stats()
      assert.equal(stats.targets, 2)
      assert.deepEqual(stats.backups, {
        pending: 1,
        in_progress: 0,
        completed: 2,
        failed: 1,
        expired: 0,
        deleted: 1,
        damaged: 1,
      })
      assert.deepEqual(stats.operations, {
        queued: 1,
        waiting: 0,
        running: 0,
        completed: 5,
        failed: 1,
        cancelled: 0,
      })
      assert.equal(stats.storedBytes, 3 * 1024)
      assert.equal(stats.sizeBytes, 3 * 8192)
      assert.deepEqual(stats.newest, [{ target: shop, database: null, consistentAt: clock.iso(-1000) }])
    })

    it('refuses work after it was closed', async () => {
      const [, other] = await bench().openings(2)
      await other?.close()
      await other?.close()
      await assert.rejects(other?.ping() ?? Promise.resolve())
    })
  })
}
