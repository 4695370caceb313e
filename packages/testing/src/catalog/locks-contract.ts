import assert from 'node:assert/strict'
import type { HeldLock, OperationStore } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { LEASE_MS, lockOf, unused, useBench } from './bench.ts'
import { COMPLETED, completedWith, FAILED, factsAt } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** The lock of a database: one holder at a time, fences that only grow, and no way back for who has lost it. */
export function describeLocks(subject: CatalogSubject): void {
  describe('locks', () => {
    const bench = useBench(subject)
    describeGranting(bench)
    describeTakeOver(bench)
    describeFencing(bench)
  })
}

type Bench = () => CatalogBench

function describeGranting(bench: Bench): void {
  it('grants a free lock: the operation runs, and the start is counted', async () => {
    const { catalog, clock } = bench()
    const operation = await bench().acceptBackup(await bench().target())
    clock.advance(5)
    const { held, operation: running, takenOver } = await bench().start(operation, 'token')
    assert.equal(takenOver, false)
    assert.deepEqual(held, {
      lockKey: operation.lockKey,
      operationId: operation.id,
      token: 'token',
      fence: 1,
    })
    assert.deepEqual(running, { ...operation, state: 'running', attempts: 1, startedAt: clock.iso() })
    assert.deepEqual(await catalog.operations.get(operation.id), running)
    await catalog.operations.confirm(held)
  })

  it('grants the same again to the same token, whose first answer may be lost', async () => {
    const operation = await bench().acceptBackup(await bench().target())
    const first = await bench().start(operation, 'token')
    const again = await bench().start(operation, 'token')
    assert.deepEqual(again, first)
  })

  it('grants one of many that ask together from several processes', async () => {
    const openings = await bench().openings(3)
    const target = await bench().target()
    const operations = []
    for (let index = 0; index < 8; index += 1) operations.push(await bench().acceptBackup(target))
    const answers = await Promise.all(
      operations.toReversed().map(({ id }, index) => {
        const catalog = openings[index % openings.length] ?? bench().catalog
        return catalog.operations.acquire({ operationId: id, token: unused('token'), leaseMs: LEASE_MS })
      }),
    )
    assert.ok(answers.filter((answer) => answer.granted).length <= 1)
    await bench().catalog.operations.acquire({
      operationId: operations[0]?.id ?? '',
      token: 't',
      leaseMs: LEASE_MS,
    })
    const states = await Promise.all(operations.map(({ id }) => bench().catalog.operations.get(id)))
    assert.equal(states.filter(({ state }) => state === 'running').length, 1)
  })

  it('makes one start of eight tries to begin one operation together', async () => {
    const openings = await bench().openings(3)
    const { id } = await bench().acceptBackup(await bench().target())
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        const catalog = openings[index % openings.length] ?? bench().catalog
        return catalog.operations.acquire({ operationId: id, token: `t${index}`, leaseMs: LEASE_MS })
      }),
    )
    assert.equal(answers.filter((answer) => answer.granted).length, 1)
    assert.equal((await bench().catalog.operations.get(id)).attempts, 1)
  })

  it('locks a database, not a name: other locks are free', async () => {
    const lockKey = unused('database')
    const one = await bench().acceptBackup(await bench().target(), { lockKey })
    const same = await bench().acceptBackup(await bench().target(), { lockKey })
    const other = await bench().acceptBackup(await bench().target())
    await bench().start(one)
    const { operations } = bench().catalog
    const answer = await operations.acquire({ operationId: same.id, token: 't', leaseMs: LEASE_MS })
    assert.deepEqual(answer, { granted: false, retryInMs: 30_000 })
    assert.equal((await operations.get(same.id)).state, 'waiting')
    await bench().start(other)
  })

  it('answers with a finished operation, and knows no operation that was never accepted', async () => {
    const { operations } = bench().catalog
    const operation = await bench().acceptBackup(await bench().target())
    const { held } = await bench().start(operation)
    await operations.end(held, FAILED)
    const answer = await operations.acquire({ operationId: operation.id, token: 't', leaseMs: LEASE_MS })
    assert.deepEqual(answer, { granted: false, finished: await operations.get(operation.id) })
    await rejectsWith(
      'OPERATION_NOT_FOUND',
      operations.acquire({ operationId: 'none', token: 't', leaseMs: 1 }),
    )
  })

  it.each([0, -1, 0.5, Number.NaN])('refuses a lease of %d ms', async (leaseMs) => {
    const { id } = await bench().acceptBackup(await bench().target())
    await rejectsWith(
      'INVALID_REQUEST',
      bench().catalog.operations.acquire({ operationId: id, token: 't', leaseMs }),
    )
  })
}

function describeTakeOver(bench: Bench): void {
  it('lets the operation itself be taken over when its lease has passed', async () => {
    const { operations } = bench().catalog
    const operation = await bench().acceptBackup(await bench().target())
    const first = await bench().start(operation)
    bench().leases.advance(LEASE_MS)
    const second = await bench().start(operation)
    assert.equal(second.takenOver, true)
    assert.equal(second.held.fence, first.held.fence + 1)
    assert.equal(second.operation.attempts, 2)
    assert.equal(second.operation.startedAt, first.operation.startedAt)
    assert.equal(await operations.renew(first.held, LEASE_MS), false)
    assert.equal(await operations.renew(second.held, LEASE_MS), true)
  })

  it('lets nobody else in by a lapsed lease of unfinished work', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const first = await bench().acceptBackup(target)
    const second = await bench().acceptBackup(target)
    await bench().start(first)
    bench().leases.advance(10 * LEASE_MS)
    const answer = await operations.acquire({ operationId: second.id, token: 't', leaseMs: LEASE_MS })
    assert.deepEqual(answer, { granted: false, retryInMs: 30_000 })
    assert.equal(await operations.nextInLine(lockOf(target)), null)
  })

  it('revokes a live lease of the same operation under another token, and waits for its end', async () => {
    const { operations } = bench().catalog
    const operation = await bench().acceptBackup(await bench().target())
    const zombie = await bench().start(operation)
    bench().leases.advance(10_000)
    const ask = () => operations.acquire({ operationId: operation.id, token: 'new', leaseMs: LEASE_MS })
    assert.deepEqual(await ask(), { granted: false, retryInMs: LEASE_MS - 10_000 + 50 })
    assert.equal(await operations.renew(zombie.held, LEASE_MS), false)
    await rejectsWith('FENCE_LOST', operations.confirm(zombie.held))
    const revived = await operations.acquire({
      operationId: operation.id,
      token: zombie.held.token,
      leaseMs: LEASE_MS,
    })
    assert.equal(revived.granted, false)
    bench().leases.advance(LEASE_MS - 10_000)
    const answer = await ask()
    assert.ok(answer.granted && answer.takenOver)
  })

  it('keeps a lapsed lease alive that nobody has taken over', async () => {
    const { operations } = bench().catalog
    const one = await bench().start(await bench().acceptBackup(await bench().target()))
    const other = await bench().start(await bench().acceptBackup(await bench().target()))
    bench().leases.advance(10 * LEASE_MS)
    await operations.confirm(one.held)
    assert.equal(await operations.renew(one.held, LEASE_MS), true)
    await operations.setProgress(other.held, 'dumping', { bytes: 1 })
    await operations.end(other.held, completedWith(factsAt(bench().clock.iso())))
    assert.equal((await operations.get(other.operation.id)).state, 'completed')
  })

  it('counts fences upwards for ever, whoever holds the lock', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const fences: number[] = []
    for (let round = 0; round < 3; round += 1) {
      const operation = await bench().acceptBackup(target)
      const { lost, held } = await bench().takenOver(operation)
      await operations.handBack(held, { countAttempt: true, notBeforeMs: 0 })
      const last = await bench().start(operation)
      await operations.end(last.held, FAILED)
      fences.push(lost.fence, held.fence, last.held.fence)
    }
    assert.deepEqual(fences, [1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('measures leases by the real clock where no other is given', async () => {
    const place = await bench().openReal()
    const target = await bench().target()
    const operation = await bench().acceptBackup(target)
    const ask = (token: string) =>
      place.operations.acquire({ operationId: operation.id, token, leaseMs: 300 })
    assert.ok((await ask('one')).granted)
    const refused = await ask('two')
    assert.ok(!refused.granted && 'retryInMs' in refused && refused.retryInMs <= 350)
    await new Promise((resolve) => setTimeout(resolve, refused.retryInMs))
    const granted = await ask('two')
    assert.ok(granted.granted && granted.takenOver)
  })
}

/** Every write that needs the lock. */
const FENCED: Readonly<Record<string, (operations: OperationStore, held: HeldLock) => Promise<unknown>>> = {
  confirm: (operations, held) => operations.confirm(held),
  setProgress: (operations, held) => operations.setProgress(held, 'dumping', { bytes: 666 }),
  setJournal: (operations, held) => operations.setJournal(held, 'zombie'),
  'end as completed': (operations, held) =>
    operations.end(held, completedWith(factsAt('2026-01-01T00:00:00.000Z'))),
  'end as failed': (operations, held) => operations.end(held, FAILED),
  handBack: (operations, held) => operations.handBack(held, { countAttempt: true, notBeforeMs: 0 }),
}

function describeFencing(bench: Bench): void {
  it.each(Object.keys(FENCED))('refuses %s of whoever was taken over, and writes nothing', async (name) => {
    const { catalog } = bench()
    const operation = await bench().acceptBackup(await bench().target())
    const { lost, held } = await bench().takenOver(operation)
    const before = [await catalog.operations.get(operation.id), await bench().backupOf(operation)]
    await rejectsWith('FENCE_LOST', FENCED[name]?.(catalog.operations, lost) ?? Promise.resolve())
    assert.deepEqual([await catalog.operations.get(operation.id), await bench().backupOf(operation)], before)
    await catalog.operations.confirm(held)
  })

  it.each(Object.keys(FENCED))('refuses %s under a wrong token, fence, operation or lock', async (name) => {
    const { operations } = bench().catalog
    const { held } = await bench().start(await bench().acceptBackup(await bench().target()))
    const other = await bench().acceptBackup(await bench().target())
    const forged: readonly HeldLock[] = [
      { ...held, token: 'guessed' },
      { ...held, fence: held.fence + 1 },
      { ...held, fence: held.fence - 1 },
      { ...held, operationId: other.id },
      { ...held, lockKey: other.lockKey },
    ]
    for (const lock of forged) {
      await rejectsWith('FENCE_LOST', FENCED[name]?.(operations, lock) ?? Promise.resolve())
      assert.equal(await operations.renew(lock, LEASE_MS), false)
    }
    await operations.confirm(held)
  })

  it.each(Object.keys(FENCED))('refuses %s after the end', async (name) => {
    const { operations } = bench().catalog
    const { held } = await bench().start(await bench().acceptBackup(await bench().target()))
    await operations.end(held, completedWith(factsAt(bench().clock.iso())))
    await rejectsWith('FENCE_LOST', FENCED[name]?.(operations, held) ?? Promise.resolve())
    assert.equal(await operations.renew(held, LEASE_MS), false)
  })

  it('lets one of several ends through that come together', async () => {
    const openings = await bench().openings(3)
    const operation = await bench().acceptBackup(await bench().target())
    const { held } = await bench().start(operation)
    const ends = [completedWith(factsAt(bench().clock.iso())), FAILED, FAILED]
    const results = await Promise.allSettled(
      ends.map((end, index) => openings[index]?.operations.end(held, end)),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    const { state } = await bench().catalog.operations.get(operation.id)
    assert.equal((await bench().backupOf(operation)).status, state)
  })

  it('holds a verification by the lock of its backup', async () => {
    const backup = await bench().completedBackup(await bench().target())
    const running = await bench().start(await bench().acceptBackup(backup.target))
    const { held } = await bench().start(await bench().accept(bench().askVerify(backup)))
    await bench().catalog.operations.end(held, COMPLETED)
    await bench().catalog.operations.end(running.held, FAILED)
  })
}
