import assert from 'node:assert/strict'
import type { BackupRequest, Operation } from '@holdfast/core'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import { mustWait, nameOf } from './asking.ts'
import type { CatalogBench } from './bench.ts'
import { lockOf, unused, useBench } from './bench.ts'
import { CANCELLED, COMPLETED, completedWith, FAILED, factsAt } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Groups: one operation on a server, with a member for each of its databases. */
export function describeGroups(subject: CatalogSubject): void {
  describe('groups', () => {
    const bench = useBench(subject)
    describeMembers(bench)
    describePausing(bench)
    describeDatabases(bench)
  })
}

type Bench = () => CatalogBench

const ALL = { limit: 200, cursor: null }
const PAUSE = { phase: 'backing-up', progress: { bytes: 0, objects: 1, totalObjects: 3 } }

function acceptGroup(bench: Bench, target: string): Promise<Operation> {
  return bench().acceptBackup(target, { backupId: null })
}

function askMember(bench: Bench, group: Operation, database: string, request: Partial<BackupRequest> = {}) {
  const target = group.target ?? assert.fail('a group without a target')
  const lockKey = `${group.lockKey}/${database}`
  return bench().askBackup(target, { lockKey }, { ...request, database, groupId: group.id })
}

function acceptMember(bench: Bench, group: Operation, database: string): Promise<Operation> {
  return bench().accept(askMember(bench, group, database))
}

function describeMembers(bench: Bench): void {
  it('have no backup of their own, and end without one', async () => {
    const { operations, backups } = bench().catalog
    const target = await bench().target()
    for (const end of [COMPLETED, FAILED, CANCELLED]) {
      const group = await acceptGroup(bench, target)
      assert.equal(group.backupId, null)
      const { held } = await bench().start(group)
      await assert.rejects(operations.end(held, completedWith(factsAt(bench().clock.iso()))), /cannot end/)
      await operations.end(held, end)
      assert.equal((await operations.get(group.id)).state, end.state)
    }
    assert.equal((await backups.list({ target }, ALL)).total, 0)
    const unbegun = await acceptGroup(bench, target)
    assert.equal((await operations.requestCancel(unbegun.id)).operation.state, 'cancelled')
  })

  it('list their members in the order of acceptance', async () => {
    const { operations, backups } = bench().catalog
    const target = await bench().target()
    const [group, other] = [await acceptGroup(bench, target), await acceptGroup(bench, target)]
    const shop = await acceptMember(bench, group, 'shop')
    const strange = await acceptMember(bench, group, `it's "odd" 100%`)
    const elsewhere = await acceptMember(bench, other, 'shop')
    assert.deepEqual(await operations.listMembers(group.id), [shop, strange])
    assert.deepEqual((await operations.list({ group: group.id }, ALL)).items, [strange, shop])
    assert.deepEqual(await operations.listMembers(elsewhere.id), [])
    const backup = await bench().backupOf(strange)
    assert.equal(backup.database, `it's "odd" 100%`)
    assert.equal(backup.groupId, group.id)
    assert.deepEqual((await backups.list({ group: other.id }, ALL)).items, [
      await bench().backupOf(elsewhere),
    ])
  })

  it('have one member for each database, whoever asks again', async () => {
    const { operations } = bench().catalog
    const group = await acceptGroup(bench, await bench().target())
    const asked = askMember(bench, group, 'shop')
    const first = await operations.accept(asked)
    assert.deepEqual(await operations.accept({ ...asked, backupId: 'another' }), first)
    const second = askMember(bench, group, 'shop')
    await assert.rejects(operations.accept(second))
    await rejectsWith('OPERATION_NOT_FOUND', operations.get(second.id))
    assert.deepEqual(await operations.listMembers(group.id), [first.operation])
  })

  it('take no more members once they have ended or are to be cancelled', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const [ended, flagged] = [await acceptGroup(bench, target), await acceptGroup(bench, target)]
    await operations.end((await bench().start(ended)).held, FAILED)
    await bench().start(flagged)
    await operations.requestCancel(flagged.id)
    for (const group of [ended, flagged]) {
      const asked = askMember(bench, group, 'shop')
      await rejectsWith('OPERATION_FINISHED', operations.accept(asked))
      await rejectsWith('OPERATION_NOT_FOUND', operations.get(asked.id))
    }
    await rejectsWith(
      'OPERATION_NOT_FOUND',
      operations.accept(askMember(bench, { ...ended, id: 'none' }, 'shop')),
    )
  })

  it('take a member or are cancelled, when both are asked for together', async () => {
    const [one, other] = await bench().openings(2)
    for (let round = 0; round < 10; round += 1) {
      const group = await acceptGroup(bench, await bench().target())
      await bench().start(group)
      const [accepted] = await Promise.allSettled([
        one?.operations.accept(askMember(bench, group, 'shop')),
        other?.operations.requestCancel(group.id),
      ])
      const members = await bench().catalog.operations.listMembers(group.id)
      assert.equal(members.length, accepted.status === 'fulfilled' ? 1 : 0)
      await rejectsWith(
        'OPERATION_FINISHED',
        bench().catalog.operations.accept(askMember(bench, group, 'blog')),
      )
    }
  })
}

function describePausing(bench: Bench): void {
  it('wait without a lock, in front of all others, and go on where they stood', async () => {
    const { operations } = bench().catalog
    const target = await bench().target()
    const group = await acceptGroup(bench, target)
    const { held } = await bench().start(group)
    await operations.setJournal(held, 'members')
    await operations.pause(held, PAUSE)
    const paused = await operations.get(group.id)
    assert.deepEqual(
      [paused.state, paused.phase, paused.progress, paused.attempts, paused.journal],
      ['waiting', PAUSE.phase, PAUSE.progress, 0, 'members'],
    )
    await rejectsWith('FENCE_LOST', operations.confirm(held))
    await rejectsWith('FENCE_LOST', operations.pause(held, PAUSE))
    const later = await acceptGroup(bench, target)
    await mustWait(bench, later)
    assert.deepEqual(await operations.nextInLine(lockOf(target)), nameOf(group))
    const again = await bench().start(group)
    assert.equal(again.takenOver, false)
    assert.equal(again.operation.attempts, 1)
    assert.equal(again.operation.journal, 'members')
    assert.deepEqual(await operations.end(again.held, COMPLETED), nameOf(later))
  })

  it('are flagged while they wait, for whoever goes on with them to end their members', async () => {
    const { operations } = bench().catalog
    const group = await acceptGroup(bench, await bench().target())
    const { held } = await bench().start(group)
    await operations.setJournal(held, 'members')
    await operations.pause(held, PAUSE)
    const { operation } = await operations.requestCancel(group.id)
    assert.equal(operation.state, 'waiting')
    const again = await bench().start(group)
    assert.equal(again.operation.cancelRequested, true)
    await operations.end(again.held, CANCELLED)
    assert.equal((await operations.get(group.id)).state, 'cancelled')
  })

  it('pause only with a journal, and only for whoever holds them', async () => {
    const { operations } = bench().catalog
    const { lost, held } = await bench().takenOver(await acceptGroup(bench, await bench().target()))
    await assert.rejects(operations.pause(held, PAUSE), /journal/)
    await operations.confirm(held)
    await operations.setJournal(held, 'members')
    await rejectsWith('FENCE_LOST', operations.pause(lost, PAUSE))
    await operations.pause(held, PAUSE)
  })
}

function describeDatabases(bench: Bench): void {
  it('leave backups that are found by their database', async () => {
    const { catalog, clock } = bench()
    const target = await bench().target()
    const at = (ms: number) => ({ consistentAt: clock.iso(ms) })
    const shop = await bench().completedBackup(target, at(1000), { database: 'shop' })
    const older = await bench().completedBackup(target, at(500), { database: 'shop' })
    const blog = await bench().completedBackup(target, at(2000), { database: 'blog' })
    assert.deepEqual((await catalog.backups.list({ target, database: 'shop' }, ALL)).items, [older, shop])
    assert.deepEqual((await catalog.backups.list({ target, database: unused('db') }, ALL)).items, [])
    assert.deepEqual(await catalog.backups.latest(target, 'shop'), shop)
    assert.deepEqual(await catalog.backups.latest(target, null), blog)
    assert.equal(await catalog.backups.latest(target, 'crm'), null)
    const { newest } = await catalog.stats()
    assert.deepEqual(
      newest.filter((entry) => entry.target === target).map(({ database }) => database),
      ['blog', 'shop'],
    )
  })
}
