import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import { ask, mustWait, nameOf } from './asking.ts'
import type { CatalogBench } from './bench.ts'
import { LEASE_MS, lockOf, unused, useBench } from './bench.ts'
import { COMPLETED, FAILED } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** The line before a database: order of acceptance, hand-backs, and moving to another one. */
export function describeLine(subject: CatalogSubject): void {
  describe('the line', () => {
    const bench = useBench(subject)
    describeOrder(bench)
    describeHandBack(bench)
    describeIdentity(bench)
  })
}

type Bench = () => CatalogBench

function describeOrder(bench: Bench): void {
  it('goes by acceptance, whatever the order of asking', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const [one, two, three] = [
      await bench().acceptBackup(target),
      await bench().acceptBackup(target, { jobId: 'job of two' }),
      await bench().acceptBackup(target),
    ]
    await mustWait(bench, three)
    await mustWait(bench, two)
    const first = await bench().start(one)
    assert.equal(await operations.nextInLine(lockOf(target)), null)
    assert.deepEqual(await operations.end(first.held, FAILED), nameOf(two))
    await mustWait(bench, three)
    assert.deepEqual(await operations.nextInLine(lockOf(target)), nameOf(two))
    const second = await bench().start(two)
    assert.deepEqual(await operations.end(second.held, FAILED), nameOf(three))
    const third = await bench().start(three)
    assert.equal(await operations.end(third.held, FAILED), null)
  })

  it('is not held up by work of another queue that nobody has looked at', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const restore = await bench().accept(bench().askRestore(backup, target))
    const later = await bench().acceptBackup(target)
    const { held } = await bench().start(later)
    await mustWait(bench, restore)
    const last = await bench().acceptBackup(target)
    assert.deepEqual(await operations.end(held, FAILED), nameOf(restore))
    await mustWait(bench, last)
    await bench().start(restore)
  })

  it('names whoever is parked before whoever is queued', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const running = await bench().start(await bench().acceptBackup(target))
    const restore = await bench().accept(bench().askRestore(backup, target))
    const parked = await bench().acceptBackup(target)
    await mustWait(bench, parked)
    assert.deepEqual(await operations.end(running.held, FAILED), nameOf(parked))
    await bench().start(parked)
    assert.equal(restore.state, 'queued')
  })

  it('is empty for a lock that nobody has asked for', async () => {
    assert.equal(await bench().catalog.operations.nextInLine(unused('unknown')), null)
  })

  it('names whoever is first before anybody has asked for the lock', async () => {
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    await bench().acceptBackup(target)
    assert.deepEqual(await bench().catalog.operations.nextInLine(lockOf(target)), nameOf(operation))
  })

  it('lists all unfinished work, oldest first, with who holds a live lease', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const running = await bench().start(await bench().acceptBackup(target))
    const waiting = await bench().acceptBackup(target)
    await mustWait(bench, waiting)
    const queued = await bench().acceptBackup(await bench().target())
    const done = await bench().start(await bench().acceptBackup(await bench().target()))
    await operations.end(done.held, FAILED)
    const mine = [running.operation.id, waiting.id, queued.id, done.operation.id]
    const list = async () =>
      (await operations.listUnfinished())
        .filter(({ operation }) => mine.includes(operation.id))
        .map(({ operation, leaseLive }) => [operation.id, operation.state, leaseLive])
    const rest = [
      [waiting.id, 'waiting', false],
      [queued.id, 'queued', false],
    ]
    assert.deepEqual(await list(), [[running.operation.id, 'running', true], ...rest])
    bench().leases.advance(LEASE_MS)
    assert.deepEqual(await list(), [[running.operation.id, 'running', false], ...rest])
  })

  it('lists operations by state, type, target and backup, newest first', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const verify = await bench().accept(bench().askVerify(backup))
    const ids = async (filter: Parameters<typeof operations.list>[0]) =>
      (await operations.list({ target, ...filter }, { limit: 10, cursor: null })).items.map(({ id }) => id)
    const [, taken] = (await operations.list({ target }, { limit: 10, cursor: null })).items
    assert.deepEqual(await ids({}), [verify.id, taken?.id])
    assert.deepEqual(await ids({ type: 'verify' }), [verify.id])
    assert.deepEqual(await ids({ state: 'completed' }), [taken?.id])
    assert.deepEqual(await ids({ backupId: backup.id }), [verify.id, taken?.id])
    assert.deepEqual(await ids({ state: 'running' }), [])
  })
}

function describeHandBack(bench: Bench): void {
  it('puts an operation back in its place, uncounted', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    const later = await bench().acceptBackup(target)
    await mustWait(bench, later)
    const { held } = await bench().start(operation)
    await operations.setProgress(held, 'dumping', { bytes: 5, totalBytes: 10, percent: 50 })
    assert.equal((await operations.get(operation.id)).phase, 'dumping')
    const next = await operations.handBack(held, { countAttempt: false, notBeforeMs: 0 })
    const back = await operations.get(operation.id)
    assert.equal(back.state, 'queued')
    assert.equal(back.attempts, 0)
    assert.equal(back.phase, null)
    assert.deepEqual(back.progress, { bytes: 0 })
    assert.equal(next?.id, operation.id)
    await mustWait(bench, later)
    assert.equal((await bench().start(operation)).operation.attempts, 1)
    assert.equal((await bench().backupOf(operation)).status, 'in_progress')
  })

  it('lets others go first until it may begin again, and counts the attempt', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    const later = await bench().acceptBackup(target)
    const { held } = await bench().start(operation)
    const next = await operations.handBack(held, { countAttempt: true, notBeforeMs: 2000 })
    assert.deepEqual(next, nameOf(later))
    const early = await ask(bench, operation)
    assert.deepEqual(early, { granted: false, retryInMs: 2000 })
    bench().leases.advance(2000)
    await mustWait(bench, later)
    assert.equal((await bench().start(operation)).operation.attempts, 2)
  })

  it('lets nobody meet a database that lies half done', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const backup = await bench().completedBackup(target)
    const earlier = await bench().acceptBackup(target)
    const restore = await bench().accept(bench().askRestore(backup, target))
    const { held } = await bench().start(restore)
    await operations.setJournal(held, '{"step":"swap"}')
    assert.equal(await operations.handBack(held, { countAttempt: true, notBeforeMs: 1000 }), null)
    await mustWait(bench, earlier)
    bench().leases.advance(1000)
    await mustWait(bench, earlier)
    assert.deepEqual(await operations.nextInLine(lockOf(target)), nameOf(restore))
    const again = await bench().start(restore)
    assert.equal(again.operation.journal, '{"step":"swap"}')
    await operations.setJournal(again.held, null)
    assert.deepEqual(await operations.end(again.held, COMPLETED), nameOf(earlier))
  })
}

function describeIdentity(bench: Bench): void {
  it('moves to a stronger lock with its target, as long as it has not begun', async () => {
    const { operations, targets } = bench().catalog
    const [one, other] = [await bench().target(), await bench().target()]
    const stronger = unused('strong')
    const first = await bench().acceptBackup(one)
    const second = await bench().acceptBackup(other)
    await operations.setLockKey(first.id, stronger)
    await operations.setLockKey(second.id, stronger)
    assert.equal((await targets.get(one)).lockKey, stronger)
    assert.equal((await targets.get(other)).lockKey, stronger)
    const { held } = await bench().start(first)
    await mustWait(bench, second)
    await operations.setLockKey(first.id, unused('too-late'))
    assert.equal((await operations.get(first.id)).lockKey, stronger)
    assert.equal((await targets.get(one)).lockKey, stronger)
    assert.deepEqual(await operations.end(held, FAILED), nameOf(second))
    await rejectsWith('OPERATION_NOT_FOUND', operations.setLockKey('none', 'x'))
  })

  it('leaves a target alone that is another database by now', async () => {
    const { operations, targets } = bench().catalog
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    const connection = { sealedUrl: 'x', displayUrl: 'x', lockKey: unused('moved') }
    await targets.change(target, { connection })
    await operations.setLockKey(operation.id, unused('strong'))
    assert.equal((await targets.get(target)).lockKey, connection.lockKey)
  })
}
