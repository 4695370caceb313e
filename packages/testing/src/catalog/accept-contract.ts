import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { CatalogBench } from './bench.ts'
import { lockOf, unused, useBench } from './bench.ts'
import { COMPLETED, FAILED } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Accepting work: recorded once, whole or not at all, however often and by however many it is asked for. */
export function describeAccepting(subject: CatalogSubject): void {
  describe('accepting work', () => {
    const bench = useBench(subject)
    describeRecording(bench)
    describeRefusing(bench)
    describeCoalescing(bench)
    describeIdempotency(bench)
  })
}

type Bench = () => CatalogBench

const WEEK_MS = 7 * 24 * 3_600_000

function describeRecording(bench: Bench): void {
  it('records an operation as it was asked for', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const asked = bench().askBackup(target, { jobId: 'job-1', requestedBy: 'ci' })
    const { operation, coalesced } = await catalog.operations.accept(asked)
    const { seq, ...rest } = operation
    assert.equal(coalesced, false)
    assert.ok(Number.isSafeInteger(seq) && seq > 0)
    assert.deepEqual(rest, {
      id: asked.id,
      type: 'backup',
      request: asked.request,
      target,
      backupId: asked.backupId,
      lockKey: lockOf(target),
      state: 'queued',
      phase: null,
      progress: { bytes: 0 },
      result: null,
      error: null,
      requestedBy: 'ci',
      jobId: 'job-1',
      attempts: 0,
      cancelRequested: false,
      journal: null,
      createdAt: clock.iso(),
      startedAt: null,
      finishedAt: null,
    })
    assert.deepEqual(await catalog.operations.get(asked.id), operation)
  })

  it('numbers operations in the order of their acceptance', async () => {
    const target = await bench().target()
    const numbers: number[] = []
    for (let index = 0; index < 4; index += 1) numbers.push((await bench().acceptBackup(target)).seq)
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
    )
    assert.equal(new Set(numbers).size, 4)
  })

  it('answers with the operation that has this id already', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const asked = bench().askBackup(target)
    const first = await operations.accept(asked)
    const again = await operations.accept({ ...asked, backupId: 'another', requestedBy: 'somebody else' })
    assert.deepEqual(again, first)
    assert.equal((await operations.list({ target }, { limit: 10, cursor: null })).total, 1)
  })

  it('needs no target and no backup for retention', async () => {
    const asked = bench().askBackup('unused')
    const request = { type: 'retention' } as const
    const lockKey = unused('retention')
    const operation = await bench().accept({
      ...asked,
      type: 'retention',
      request,
      target: null,
      backupId: null,
      lockKey,
    })
    const { held } = await bench().start(operation)
    await bench().catalog.operations.end(held, COMPLETED)
  })
}

function describeRefusing(bench: Bench): void {
  it('refuses to back up or restore into a target that is not there', async () => {
    const { operations, targets } = bench().catalog
    const removed = await bench().target()
    await targets.remove(removed)
    const backup = await bench().completedBackup(await bench().target())
    for (const target of ['nobody', removed]) {
      const asked = bench().askBackup(target)
      await rejectsWith('TARGET_NOT_FOUND', operations.accept(asked))
      await rejectsWith('OPERATION_NOT_FOUND', operations.get(asked.id))
      await rejectsWith('TARGET_NOT_FOUND', operations.accept(bench().askRestore(backup, target)))
    }
  })

  it('restores only completed backups, and verifies damaged ones too', async () => {
    const { backups } = bench().catalog
    const target = await bench().target()
    const expired = await bench().completedBackup(target)
    await backups.beginDelete(expired.id, { evenIfPinned: false })
    const unusable = [
      await bench().failedBackup(target),
      expired,
      await bench().backupOf(await bench().acceptBackup(target)),
    ]
    for (const backup of unusable) {
      await rejectsWith('BACKUP_NOT_USABLE', bench().accept(bench().askRestore(backup, target)))
      await rejectsWith('BACKUP_NOT_USABLE', bench().accept(bench().askVerify(backup)))
    }
    const elsewhere = await bench().target()
    const damaged = await bench().verify(await bench().completedBackup(elsewhere), 'checksum', false)
    await rejectsWith('BACKUP_NOT_USABLE', bench().accept(bench().askRestore(damaged, elsewhere)))
    assert.equal((await bench().accept(bench().askVerify(damaged))).state, 'queued')
    const unknown = { id: '00000000-0000-7000-8000-000000000000', target }
    await rejectsWith('BACKUP_NOT_FOUND', bench().accept(bench().askRestore(unknown, target)))
    await rejectsWith('BACKUP_NOT_FOUND', bench().accept(bench().askVerify(unknown)))
  })

  it('leaves nothing behind of a request whose name is in use', async () => {
    const { operations, backups } = bench().catalog
    const target = await bench().target()
    const name = unused('release')
    await bench().acceptBackup(target, {}, { name })
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    const asked = bench().askBackup(target, { dedupId: unused('equal'), idempotency }, { name })
    await rejectsWith('BACKUP_EXISTS', operations.accept(asked))
    await rejectsWith('OPERATION_NOT_FOUND', operations.get(asked.id))
    await rejectsWith('BACKUP_NOT_FOUND', backups.get(asked.backupId ?? ''))
    const free = { ...asked, request: { ...asked.request, name: null } } as typeof asked
    assert.equal((await operations.accept(free)).operation.id, asked.id)
  })

  it('takes one of ten that want the same name together', async () => {
    const openings = await bench().openings(3)
    const target = await bench().target()
    const name = unused('release')
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        openings[index % openings.length]?.operations.accept(bench().askBackup(target, {}, { name })),
      ),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of results) {
      if (result.status === 'rejected') await rejectsWith('BACKUP_EXISTS', Promise.reject(result.reason))
    }
  })
}

function describeCoalescing(bench: Bench): void {
  it('makes one operation of ten equal requests from several processes', async () => {
    const openings = await bench().openings(3)
    const target = await bench().target()
    const dedupId = unused('equal')
    const name = unused('release')
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const catalog = openings[index % openings.length] ?? bench().catalog
        return catalog.operations.accept(bench().askBackup(target, { dedupId }, { name }))
      }),
    )
    assert.equal(new Set(answers.map(({ operation }) => operation.id)).size, 1)
    assert.equal(answers.filter(({ coalesced }) => !coalesced).length, 1)
    const { operations, backups } = bench().catalog
    assert.equal((await operations.list({ target }, { limit: 10, cursor: null })).total, 1)
    assert.equal((await backups.list({ target }, { limit: 10, cursor: null })).total, 1)
  })

  it('coalesces with work that waits, runs or was handed back, and not with work that has ended', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const dedupId = unused('equal')
    const ask = () => operations.accept(bench().askBackup(target, { dedupId }))
    const first = await ask()
    assert.equal((await ask()).operation.id, first.operation.id)
    const { held } = await bench().start(first.operation)
    assert.equal((await ask()).operation.state, 'running')
    await operations.handBack(held, { countAttempt: false, notBeforeMs: 0 })
    assert.equal((await ask()).coalesced, true)
    const again = await bench().start(first.operation)
    await operations.end(again.held, FAILED)
    const next = await ask()
    assert.equal(next.coalesced, false)
    assert.notEqual(next.operation.id, first.operation.id)
  })

  it('never coalesces what has nothing to be equal by', async () => {
    const target = await bench().target()
    const one = await bench().acceptBackup(target)
    const other = await bench().acceptBackup(target)
    assert.notEqual(one.id, other.id)
  })
}

function describeIdempotency(bench: Bench): void {
  it('gives the same answer to the same key, also when the work has ended', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    const ask = () => operations.accept(bench().askBackup(target, { idempotency }))
    const first = await ask()
    const { held } = await bench().start(first.operation)
    await operations.end(held, FAILED)
    const second = await ask()
    assert.equal(second.coalesced, true)
    assert.deepEqual(second.operation, await operations.get(first.operation.id))
  })

  it('refuses the same key for another request, and knows keys by their owner', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    const first = await operations.accept(bench().askBackup(target, { idempotency }))
    const other = bench().askBackup(target, { idempotency: { ...idempotency, requestHash: 'other' } })
    await rejectsWith('IDEMPOTENCY_CONFLICT', operations.accept(other))
    await rejectsWith('OPERATION_NOT_FOUND', operations.get(other.id))
    const elsewhere = bench().askBackup(target, { idempotency: { ...idempotency, actor: 'somebody else' } })
    assert.notEqual((await operations.accept(elsewhere)).operation.id, first.operation.id)
  })

  it('remembers the key of a request that was coalesced', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const dedupId = unused('equal')
    const first = await operations.accept(bench().askBackup(target, { dedupId }))
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    await operations.accept(bench().askBackup(target, { dedupId, idempotency }))
    const { held } = await bench().start(first.operation)
    await operations.end(held, FAILED)
    const again = await operations.accept(bench().askBackup(target, { dedupId, idempotency }))
    assert.equal(again.operation.id, first.operation.id)
  })

  it('makes one operation of ten requests with one key from several processes', async () => {
    const openings = await bench().openings(3)
    const target = await bench().target()
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const catalog = openings[index % openings.length] ?? bench().catalog
        return catalog.operations.accept(bench().askBackup(target, { idempotency }))
      }),
    )
    assert.equal(new Set(answers.map(({ operation }) => operation.id)).size, 1)
    assert.equal((await bench().catalog.operations.list({ target }, { limit: 10, cursor: null })).total, 1)
  })

  it('forgets a key after a week', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const idempotency = { actor: 'ci', key: unused('key'), requestHash: 'h' }
    const first = await operations.accept(bench().askBackup(target, { idempotency }))
    bench().clock.advance(WEEK_MS + 1)
    const later = await operations.accept(
      bench().askBackup(target, { idempotency: { ...idempotency, requestHash: 'o' } }),
    )
    assert.notEqual(later.operation.id, first.operation.id)
  })
}
