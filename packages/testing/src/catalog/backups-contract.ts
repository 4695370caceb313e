import assert from 'node:assert/strict'
import type { Backup, BackupFilter } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { unused, useBench } from './bench.ts'
import { completedWith, factsAt, verificationOf } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Backups: from the request to the facts, how they are found, and what people may change. */
export function describeBackups(subject: CatalogSubject): void {
  describe('backups', () => {
    const bench = useBench(subject)
    describeLife(bench)
    describeFinding(bench)
    describeFiltering(bench)
    describeChanging(bench)
  })
}

type Bench = () => CatalogBench

const ALL = { limit: 200, cursor: null }

function describeLife(bench: Bench): void {
  it('is pending as soon as it is accepted, with all that was asked', async () => {
    const { clock } = bench()
    const target = await bench().target({ environment: 'production' })
    const asked = {
      name: unused('before-v2'),
      mode: 'snapshot',
      kind: 'pre-migration',
      compression: 'none',
      storage: 'cold',
      labels: { release: 'v2' },
      note: 'the "big" one',
      retain: '30d',
    } as const
    const operation = await bench().acceptBackup(target, {}, asked)
    const backup = await bench().backupOf(operation)
    assert.deepEqual(backup, {
      ...asked,
      id: operation.backupId,
      target,
      engine: 'sqlite',
      status: 'pending',
      parentId: null,
      database: null,
      groupId: null,
      encryption: 'none',
      environment: 'production',
      pinned: false,
      requestedBy: 'tester',
      createdAt: clock.iso(),
      startedAt: null,
      expiresAt: null,
      facts: null,
      verification: null,
      error: null,
    })
  })

  it('is in progress once its operation runs, and completed with all its facts', async () => {
    const { catalog, clock } = bench()
    const operation = await bench().acceptBackup(await bench().target())
    clock.advance(500)
    const { held } = await bench().start(operation)
    const running = await bench().backupOf(operation)
    assert.equal(running.status, 'in_progress')
    assert.equal(running.startedAt, clock.iso())
    const facts = factsAt(clock.iso())
    const expiresAt = clock.iso(86_400_000)
    await catalog.operations.end(held, completedWith(facts, expiresAt))
    const verification = verificationOf('structure', true, facts.completedAt)
    assert.deepEqual(await bench().backupOf(operation), {
      ...running,
      status: 'completed',
      facts,
      expiresAt,
      verification,
    })
  })
}

function describeFinding(bench: Bench): void {
  it('is found by its id and by its name', async () => {
    const { backups } = bench().catalog
    const name = unused('named')
    const backup = await bench().completedBackup(await bench().target(), {}, { name })
    assert.deepEqual(await backups.get(backup.id), backup)
    assert.deepEqual(await backups.get(name), backup)
    await rejectsWith('BACKUP_NOT_FOUND', backups.get('no-such-name'))
    await rejectsWith('BACKUP_NOT_FOUND', backups.get('00000000-0000-7000-8000-000000000000'))
  })

  it('is the latest by the moment it shows, not by when it ended, and only while it is usable', async () => {
    const { backups } = bench().catalog
    const target = await bench().target()
    assert.equal(await backups.latest(target, null), null)
    const older = await bench().completedBackup(target, { consistentAt: '2026-02-01T00:00:00.000Z' })
    const newer = await bench().completedBackup(target, { consistentAt: '2026-02-03T00:00:00.000Z' })
    await bench().completedBackup(target, { consistentAt: '2026-01-31T00:00:00.000Z' })
    await bench().failedBackup(target)
    await bench().acceptBackup(target)
    assert.equal((await backups.latest(target, null))?.id, newer.id)
    await bench().verify(newer, 'checksum', false)
    assert.equal((await backups.latest(target, null))?.id, older.id)
  })
}

function describeFiltering(bench: Bench): void {
  it('lists what matches every part of the filter, newest first', async () => {
    const { catalog, clock } = bench()
    const environment = unused('environment')
    const [shop, blog] = [await bench().target({ environment }), await bench().target({ environment })]
    const labels = { release: 'v2', 'odd "key"': "it's" }
    const one = await bench().completedBackup(shop, {}, { labels })
    clock.advance(60_000)
    const two = await bench().completedBackup(blog, {}, { mode: 'snapshot', labels: { release: 'v3' } })
    const three = await bench().failedBackup(shop, { kind: 'pre-migration' })
    const expected: readonly (readonly [BackupFilter, readonly Backup[]])[] = [
      [{}, [three, two, one]],
      [{ target: shop }, [three, one]],
      [{ target: shop, status: 'completed' }, [one]],
      [{ status: 'failed' }, [three]],
      [{ kind: 'pre-migration' }, [three]],
      [{ mode: 'snapshot' }, [two]],
      [{ label: 'release' }, [two, one]],
      [{ label: 'release=v2' }, [one]],
      [{ label: 'release=v' }, []],
      [{ label: `odd "key"=it's` }, [one]],
      [{ label: 'other' }, []],
      [{ since: clock.iso() }, [three, two]],
      [{ until: clock.iso(-1) }, [one]],
      [{ since: clock.iso(1) }, []],
    ]
    for (const [filter, items] of expected) {
      const page = await catalog.backups.list({ ...filter, environment }, ALL)
      assert.deepEqual(page, { items, nextCursor: null, total: items.length }, JSON.stringify(filter))
    }
  })

  it('compares times as moments, whatever zone they are written in', async () => {
    const { backups } = bench().catalog
    const target = await bench().target()
    bench().clock.advance(3_600_000)
    await bench().acceptBackup(target)
    const at = bench().clock.now()
    const inIndia = new Date(at + 5.5 * 3_600_000).toISOString().replace('Z', '+05:30')
    assert.equal((await backups.list({ target, since: inIndia, until: inIndia }, ALL)).total, 1)
    await rejectsWith('INVALID_REQUEST', backups.list({ since: 'yesterday' }, ALL))
    await rejectsWith('INVALID_REQUEST', backups.list({ until: '' }, ALL))
  })

  it('gives every backup on exactly one page, also while others are added', async () => {
    const { backups } = bench().catalog
    const target = await bench().target()
    const ids: (string | null)[] = []
    for (let index = 0; index < 7; index += 1) ids.unshift((await bench().acceptBackup(target)).backupId)
    const first = await backups.list({ target }, { limit: 3, cursor: null })
    await bench().acceptBackup(target)
    const second = await backups.list({ target }, { limit: 3, cursor: first.nextCursor })
    const third = await backups.list({ target }, { limit: 3, cursor: second.nextCursor })
    const listed = [first, second, third].flatMap((page) => page.items.map((backup) => backup.id))
    assert.deepEqual(listed, ids)
    assert.equal(third.total, 8)
    assert.equal(third.nextCursor, null)
  })
}

function describeChanging(bench: Bench): void {
  it('changes what people may change, and nothing else', async () => {
    const { backups } = bench().catalog
    const before = await bench().completedBackup(await bench().target(), { suspicious: true })
    assert.equal(before.facts?.suspicious, true)
    const change = { pinned: true, suspicious: false, labels: { a: 'b' }, note: 'kept' } as const
    const after = await backups.change(before.id, change)
    const { suspicious, ...rest } = change
    assert.deepEqual(after, { ...before, ...rest, facts: { ...before.facts, suspicious } })
    assert.deepEqual(await backups.get(before.id), after)
    const cleared = await backups.change(before.id, { note: null })
    assert.deepEqual(cleared, { ...after, note: null })
    assert.deepEqual(await backups.change(before.id, {}), cleared)
  })

  it('changes nothing of a backup that is unknown or being deleted', async () => {
    const { backups } = bench().catalog
    const backup = await bench().completedBackup(await bench().target())
    await rejectsWith(
      'BACKUP_NOT_FOUND',
      backups.change('00000000-0000-7000-8000-000000000000', { pinned: true }),
    )
    await backups.beginDelete(backup.id, { evenIfPinned: false })
    await rejectsWith('BACKUP_NOT_USABLE', backups.change(backup.id, { pinned: true }))
    await backups.endDelete(backup.id)
    await rejectsWith('BACKUP_NOT_USABLE', backups.change(backup.id, { note: 'gone' }))
  })
}
