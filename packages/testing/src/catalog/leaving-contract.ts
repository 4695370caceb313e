import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import { ask, mustWait, nameOf } from './asking.ts'
import type { CatalogBench } from './bench.ts'
import { LEASE_MS, useBench } from './bench.ts'
import { CANCELLED, FAILURE } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Leaving the line without having been at work: by being cancelled, or because it cannot even begin. */
export function describeLeaving(subject: CatalogSubject): void {
  describe('leaving the line', () => {
    const bench = useBench(subject)
    describeCancelling(bench)
    describeFailing(bench)
  })
}

type Bench = () => CatalogBench

function describeCancelling(bench: Bench): void {
  it('cancels at once what has not begun, with its backup, and names who moves up', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const queued = await bench().acceptBackup(target)
    const waiting = await bench().acceptBackup(target)
    await mustWait(bench, waiting)
    const cancelled = await catalog.operations.requestCancel(queued.id)
    assert.deepEqual(cancelled.next, nameOf(waiting))
    assert.equal(cancelled.operation.state, 'cancelled')
    assert.equal(cancelled.operation.error?.code, 'CANCELLED')
    assert.equal(cancelled.operation.finishedAt, clock.iso())
    const backup = await bench().backupOf(queued)
    assert.equal(backup.status, 'failed')
    assert.equal(backup.error?.code, 'CANCELLED')
    assert.equal((await catalog.operations.requestCancel(waiting.id)).next, null)
    const answer = await ask(bench, waiting)
    assert.ok('finished' in answer && answer.finished.state === 'cancelled')
  })

  it('flags what is running, and its worker ends it', async () => {
    const { operations } = bench().catalog
    const operation = await bench().acceptBackup(await bench().target())
    const { held } = await bench().start(operation)
    const { operation: flagged, next } = await operations.requestCancel(operation.id)
    assert.equal(flagged.state, 'running')
    assert.equal(flagged.cancelRequested, true)
    assert.equal(next, null)
    await operations.requestCancel(operation.id)
    await operations.confirm(held)
    await operations.end(held, CANCELLED)
    const ended = await operations.get(operation.id)
    assert.equal(ended.state, 'cancelled')
    assert.equal(ended.error?.code, 'CANCELLED')
    const backup = await bench().backupOf(operation)
    assert.equal(backup.status, 'failed')
    assert.equal(backup.error?.code, 'CANCELLED')
    await rejectsWith('OPERATION_FINISHED', operations.requestCancel(operation.id))
    await rejectsWith('OPERATION_NOT_FOUND', operations.requestCancel('none'))
  })

  it('does not drop what lies half done, but flags it for whoever takes it next', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const restore = await bench().accept(bench().askRestore(backup, target))
    const { held } = await bench().start(restore)
    await operations.setJournal(held, 'begun')
    await operations.handBack(held, { countAttempt: false, notBeforeMs: 0 })
    const { operation } = await operations.requestCancel(restore.id)
    assert.equal(operation.state, 'queued')
    assert.equal(operation.cancelRequested, true)
    assert.equal((await bench().start(restore)).operation.cancelRequested, true)
  })

  it('is either begun or cancelled when both are asked for together', async () => {
    const [one, other] = await bench().openings(2)
    for (let round = 0; round < 10; round += 1) {
      const operation = await bench().acceptBackup(await bench().target())
      const [acquired, cancelled] = await Promise.all([
        one?.operations.acquire({ operationId: operation.id, token: 't', leaseMs: LEASE_MS }),
        other?.operations.requestCancel(operation.id),
      ])
      assert.equal(acquired?.granted, cancelled?.operation.state === 'running')
      const { status } = await bench().backupOf(operation)
      assert.equal(status, acquired?.granted === true ? 'in_progress' : 'failed')
    }
  })
}

function describeFailing(bench: Bench): void {
  it('fails what cannot begin, with its backup, and leaves alone what has begun or ended', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    const later = await bench().acceptBackup(target)
    await mustWait(bench, later)
    assert.deepEqual(await operations.failUnstarted(operation.id, FAILURE), nameOf(later))
    const failed = await operations.get(operation.id)
    assert.equal(failed.state, 'failed')
    assert.deepEqual(failed.error, FAILURE)
    const backup = await bench().backupOf(operation)
    assert.equal(backup.status, 'failed')
    assert.deepEqual(backup.error, FAILURE)
    assert.equal(await operations.failUnstarted(operation.id, { ...FAILURE, detail: 'again' }), null)
    assert.deepEqual(await operations.get(operation.id), failed)
    const { held } = await bench().start(later)
    assert.equal(await operations.failUnstarted(later.id, FAILURE), null)
    await operations.confirm(held)
    await rejectsWith('OPERATION_NOT_FOUND', operations.failUnstarted('none', FAILURE))
  })
}
