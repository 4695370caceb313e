import assert from 'node:assert/strict'
import type { Backup, OperationEnd, VerificationLevel } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { useBench } from './bench.ts'
import { COMPLETED, completedWith, FAILED, FAILURE, factsAt, verificationOf, verifiedAs } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** The end of an operation: everything that became of it, or nothing. */
export function describeEnds(subject: CatalogSubject): void {
  describe('the end of an operation', () => {
    const bench = useBench(subject)
    describeBackupEnds(bench)
    describeVerifying(bench)
    describeReplaced(bench)
  })
}

type Bench = () => CatalogBench

function describeBackupEnds(bench: Bench): void {
  it('records result, time and facts of a success', async () => {
    const { catalog, clock } = bench()
    const operation = await bench().acceptBackup(await bench().target())
    const { held, operation: running } = await bench().start(operation)
    await catalog.operations.setProgress(held, 'storing', { bytes: 8192, totalBytes: 8192, percent: 100 })
    clock.advance(250)
    const result = { recordCount: 3, nested: { list: [1, null, 'x'] } }
    await catalog.operations.end(held, { ...completedWith(factsAt(clock.iso())), result })
    assert.deepEqual(await catalog.operations.get(operation.id), {
      ...running,
      state: 'completed',
      phase: 'storing',
      progress: { bytes: 8192, totalBytes: 8192, percent: 100 },
      result,
      finishedAt: clock.iso(),
    })
  })

  it('fails the backup of a failed operation, with the reason that is known best', async () => {
    const { operations } = bench().catalog
    const own = { code: 'STORAGE_FULL', detail: 'no space left', hint: null } as const
    const ends: readonly (readonly [OperationEnd, Backup['error']])[] = [
      [FAILED, FAILURE],
      [{ ...FAILED, backup: { kind: 'failed', failure: own } }, own],
    ]
    for (const [end, error] of ends) {
      const operation = await bench().acceptBackup(await bench().target())
      const { held } = await bench().start(operation)
      await operations.end(held, end)
      const backup = await bench().backupOf(operation)
      assert.equal(backup.status, 'failed')
      assert.deepEqual(backup.error, error)
      assert.equal(backup.facts, null)
      assert.deepEqual((await operations.get(operation.id)).error, FAILURE)
    }
  })

  it('refuses an end that says one thing of the operation and another of its backup', async () => {
    const { operations } = bench().catalog
    const operation = await bench().acceptBackup(await bench().target())
    const { held, operation: running } = await bench().start(operation)
    const completed = completedWith(factsAt(bench().clock.iso()))
    const wrong = [
      COMPLETED,
      { ...completed, state: 'failed', failure: FAILURE },
      { ...completed, state: 'cancelled' },
      { ...COMPLETED, backup: { kind: 'failed', failure: FAILURE } },
    ] as const
    for (const end of wrong) await assert.rejects(operations.end(held, end), /cannot end/)
    assert.deepEqual(await operations.get(operation.id), running)
    assert.equal((await bench().backupOf(operation)).status, 'in_progress')
    await operations.end(held, completed)
  })
}

function describeVerifying(bench: Bench): void {
  const levels: readonly VerificationLevel[] = ['checksum', 'structure', 'restore']

  it('remembers a verification that found nothing', async () => {
    const backup = await bench().completedBackup(await bench().target())
    bench().clock.advance(1000)
    const verification = verificationOf('restore', true, bench().clock.iso())
    assert.deepEqual(await bench().verify(backup, 'restore', true), { ...backup, verification })
  })

  it.each(levels)(
    'damages a backup by %s, and repairs it by the same or a stronger check only',
    async (found) => {
      for (const level of levels) {
        const backup = await bench().completedBackup(await bench().target())
        assert.equal((await bench().verify(backup, found, false)).status, 'damaged')
        const after = await bench().verify(backup, level, true)
        assert.equal(after.status, levels.indexOf(level) >= levels.indexOf(found) ? 'completed' : 'damaged')
        assert.deepEqual(after.verification, verificationOf(level, true, bench().clock.iso()))
        assert.deepEqual(after.facts, backup.facts)
      }
    },
  )

  it('needs the strongest of all checks that found damage', async () => {
    const backup = await bench().completedBackup(await bench().target())
    await bench().verify(backup, 'restore', false)
    await bench().verify(backup, 'checksum', false)
    assert.equal((await bench().verify(backup, 'structure', true)).status, 'damaged')
    assert.equal((await bench().verify(backup, 'restore', true)).status, 'completed')
  })

  it('changes nothing of a backup whose verification could not be done', async () => {
    const backup = await bench().completedBackup(await bench().target())
    const { held } = await bench().start(await bench().accept(bench().askVerify(backup)))
    await bench().catalog.operations.end(held, FAILED)
    assert.deepEqual(await bench().catalog.backups.get(backup.id), backup)
  })

  it('refuses a verification as the end of something else', async () => {
    const { operations } = bench().catalog
    const verified = verifiedAs(verificationOf('checksum', true, bench().clock.iso()))
    const { held } = await bench().start(await bench().acceptBackup(await bench().target()))
    await assert.rejects(operations.end(held, verified), /cannot end/)
    const target = await bench().target()
    const restore = await bench().start(
      await bench().accept(bench().askRestore(await bench().completedBackup(target), target)),
    )
    const completed = completedWith(factsAt(bench().clock.iso()))
    await assert.rejects(operations.end(restore.held, completed), /cannot end/)
    await operations.confirm(restore.held)
  })
}

function describeReplaced(bench: Bench): void {
  it('keeps what a restore replaced until it is undone', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const restore = await bench().start(await bench().accept(bench().askRestore(backup, target)))
    const kept = {
      operationId: restore.operation.id,
      target,
      engine: 'sqlite',
      ticket: '{"file":"shop.db.before"}',
      location: '/srv/shop.db.before',
      expiresAt: clock.iso(86_400_000),
    }
    await catalog.operations.end(restore.held, { ...COMPLETED, replaced: kept })
    assert.deepEqual(await catalog.replaced.get(kept.operationId), { ...kept, createdAt: clock.iso() })
    const undo = await bench().start(await bench().accept(askUndo(bench(), target, kept.operationId)))
    await catalog.operations.end(undo.held, { ...COMPLETED, undone: kept.operationId })
    await rejectsWith('UNDO_NOT_POSSIBLE', catalog.replaced.get(kept.operationId))
  })

  it('undoes a restore of a backup that is damaged by now', async () => {
    const target = await bench().target()
    const damaged = await bench().verify(await bench().completedBackup(target), 'checksum', false)
    const undo = { ...askUndo(bench(), target, 'some-restore'), backupId: damaged.id }
    assert.equal((await bench().accept(undo)).state, 'queued')
  })

  it('lists what is kept, and what has expired of it, and forgets what is removed', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const ids: string[] = []
    for (const expiresAt of [clock.iso(2000), clock.iso(1000), clock.iso(86_400_000)]) {
      const { operation, held } = await bench().start(
        await bench().accept(bench().askRestore(backup, target)),
      )
      const place = { target: null, engine: 'sqlite', ticket: 't', location: '/srv/kept' }
      const replaced = { ...place, operationId: operation.id, expiresAt }
      await catalog.operations.end(held, { ...COMPLETED, replaced })
      ids.push(operation.id)
    }
    const mine = (list: readonly { readonly operationId: string }[]) =>
      list.map(({ operationId }) => operationId).filter((id) => ids.includes(id))
    assert.deepEqual(mine(await catalog.replaced.list()).toSorted(), ids.toSorted())
    assert.deepEqual(mine(await catalog.replaced.listExpired(clock.iso())), [])
    assert.deepEqual(mine(await catalog.replaced.listExpired(clock.iso(2000))), [ids[1], ids[0]])
    await catalog.replaced.remove(ids[0] ?? '')
    await catalog.replaced.remove(ids[0] ?? '')
    assert.deepEqual(mine(await catalog.replaced.listExpired(clock.iso(2000))), [ids[1]])
    await rejectsWith('UNDO_NOT_POSSIBLE', catalog.replaced.get(ids[0] ?? ''))
  })
}

function askUndo(bench: CatalogBench, target: string, restoreId: string) {
  const request = { type: 'undo', restoreId } as const
  return { ...bench.askBackup(target), type: 'restore', request, backupId: null } as const
}
