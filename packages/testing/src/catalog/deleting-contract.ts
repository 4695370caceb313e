import assert from 'node:assert/strict'
import type { Backup } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { unused, useBench } from './bench.ts'
import { COMPLETED } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Deleting backups: what protects them, the two steps, and what remains. */
export function describeDeleting(subject: CatalogSubject): void {
  describe('deleting backups', () => {
    const bench = useBench(subject)
    describeSteps(bench)
    describeProtection(bench)
    describeExpiry(bench)
  })
}

type Bench = () => CatalogBench

const FORCED = { evenIfPinned: true }
const CAREFUL = { evenIfPinned: false }

function describeSteps(bench: Bench): void {
  it('deletes a completed or damaged backup by way of expired, and keeps what was known of it', async () => {
    const { backups } = bench().catalog
    const target = await bench().target()
    const damaged = await bench().verify(await bench().completedBackup(target), 'structure', false)
    for (const backup of [await bench().completedBackup(target), damaged]) {
      const begun = await backups.beginDelete(backup.id, CAREFUL)
      assert.deepEqual(begun, { ...backup, status: 'expired' })
      await backups.endDelete(backup.id)
      assert.deepEqual(await backups.get(backup.id), { ...backup, status: 'deleted' })
    }
  })

  it('deletes a failed backup, which is failed until its objects are gone', async () => {
    const { backups } = bench().catalog
    const backup = await bench().failedBackup(await bench().target())
    assert.deepEqual(await backups.beginDelete(backup.id, CAREFUL), backup)
    assert.deepEqual(await ids(bench, backup.target), [backup.id])
    await backups.endDelete(backup.id)
    assert.deepEqual(await backups.get(backup.id), { ...backup, status: 'deleted' })
  })

  it('may be ended twice, by two that found it begun', async () => {
    const { backups } = bench().catalog
    const { id } = await bench().completedBackup(await bench().target())
    await backups.beginDelete(id, CAREFUL)
    await backups.endDelete(id)
    await backups.endDelete(id)
  })

  it('refuses every other way', async () => {
    const { backups, operations } = bench().catalog
    const target = await bench().target()
    const unknown = '00000000-0000-7000-8000-000000000000'
    await rejectsWith('BACKUP_NOT_FOUND', backups.beginDelete(unknown, FORCED))
    await rejectsWith('BACKUP_NOT_FOUND', backups.endDelete(unknown))
    const completed = await bench().completedBackup(target)
    await rejectsWith('BACKUP_NOT_USABLE', backups.endDelete(completed.id))
    await backups.beginDelete(completed.id, FORCED)
    await rejectsWith('BACKUP_NOT_USABLE', backups.beginDelete(completed.id, FORCED))
    await backups.endDelete(completed.id)
    await rejectsWith('BACKUP_NOT_USABLE', backups.beginDelete(completed.id, FORCED))
    const operation = await bench().acceptBackup(target)
    const { id } = await bench().backupOf(operation)
    await rejectsWith('BACKUP_IN_USE', backups.beginDelete(id, FORCED))
    await rejectsWith('BACKUP_NOT_USABLE', backups.endDelete(id))
    const { held } = await bench().start(operation)
    await rejectsWith('BACKUP_IN_USE', backups.beginDelete(id, FORCED))
    await rejectsWith('BACKUP_NOT_USABLE', backups.endDelete(id))
    await operations.handBack(held, { countAttempt: false, notBeforeMs: 0 })
  })

  it('leaves deleted backups out of lists unless they are asked for', async () => {
    const { backups } = bench().catalog
    const { id, target } = await bench().completedBackup(await bench().target())
    await backups.beginDelete(id, CAREFUL)
    assert.deepEqual(
      (await backups.list({ target }, { limit: 10, cursor: null })).items.map((item) => item.id),
      [id],
    )
    await backups.endDelete(id)
    assert.equal((await backups.list({ target }, { limit: 10, cursor: null })).total, 0)
    assert.equal((await backups.list({ target, status: 'deleted' }, { limit: 10, cursor: null })).total, 1)
  })
}

function describeProtection(bench: Bench): void {
  it('keeps a pinned backup unless it is told that it is pinned', async () => {
    const { backups } = bench().catalog
    const { id } = await bench().completedBackup(await bench().target())
    await backups.change(id, { pinned: true })
    await rejectsWith('CONFIRMATION_REQUIRED', backups.beginDelete(id, CAREFUL))
    assert.equal((await backups.beginDelete(id, FORCED)).status, 'expired')
  })

  it('keeps a backup that a restore or a verification will use', async () => {
    const { backups, operations } = bench().catalog
    const backup = await bench().completedBackup(await bench().target())
    const into = await bench().target()
    for (const asked of [bench().askVerify(backup), bench().askRestore(backup, into)]) {
      const operation = await bench().accept(asked)
      await rejectsWith('BACKUP_IN_USE', backups.beginDelete(backup.id, FORCED))
      const { held } = await bench().start(operation)
      await rejectsWith('BACKUP_IN_USE', backups.beginDelete(backup.id, FORCED))
      await operations.end(held, COMPLETED)
    }
    await backups.beginDelete(backup.id, FORCED)
  })

  it('is either deleted or restored when both are asked for together', async () => {
    const [one, other] = await bench().openings(2)
    const target = await bench().target()
    const into = await bench().target()
    for (let round = 0; round < 10; round += 1) {
      const backup = await bench().completedBackup(target)
      const asked = round % 2 === 0 ? bench().askRestore(backup, into) : bench().askVerify(backup)
      const [deleted, accepted] = await Promise.allSettled([
        one?.backups.beginDelete(backup.id, CAREFUL),
        other?.operations.accept(asked),
      ])
      assert.notEqual(deleted.status, accepted.status)
    }
  })
}

function describeExpiry(bench: Bench): void {
  it('lists what has expired and what was begun, and nothing that is kept', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const soon = clock.iso(1000)
    const expired = await bench().completedBackup(target, {}, {}, soon)
    const pinned = await bench().completedBackup(target, {}, {}, soon)
    const damaged = await bench().completedBackup(target, {}, {}, soon)
    const begun = await bench().completedBackup(target)
    await bench().completedBackup(target, {}, {}, clock.iso(2000))
    await bench().completedBackup(target)
    await bench().failedBackup(target)
    await catalog.backups.change(pinned.id, { pinned: true })
    await bench().verify(damaged, 'checksum', false)
    await catalog.backups.beginDelete(begun.id, CAREFUL)
    assert.deepEqual(await ids(bench, target), [begun.id])
    clock.advance(1000)
    assert.deepEqual(await ids(bench, target), [expired.id, begun.id])
  })

  it('gives the name of a backup free when that has failed or is deleted', async () => {
    const { catalog } = bench()
    const target = await bench().target()
    const name = unused('release')
    await bench().failedBackup(target, { name })
    const second = await bench().completedBackup(target, {}, { name })
    assert.equal((await catalog.backups.get(name)).id, second.id)
    await rejectsWith('BACKUP_EXISTS', bench().acceptBackup(target, {}, { name }))
    await catalog.backups.beginDelete(second.id, CAREFUL)
    await rejectsWith('BACKUP_EXISTS', bench().acceptBackup(target, {}, { name }))
    await catalog.backups.endDelete(second.id)
    const third = await bench().acceptBackup(target, {}, { name })
    assert.equal((await catalog.backups.get(name)).id, third.backupId)
  })
}

async function ids(bench: Bench, target: string): Promise<readonly string[]> {
  const { catalog, clock } = bench()
  const expired: readonly Backup[] = await catalog.backups.listExpired(clock.iso())
  return expired.filter((backup) => backup.target === target).map((backup) => backup.id)
}
