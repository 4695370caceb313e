import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '@holdfast/core'
import { cancelOperation } from '@holdfast/core'
import { connectRedis, createOperationEvents } from '@holdfast/queue'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { QueueFleet } from './support/queue-fleet.ts'
import { silent, startFleet } from './support/queue-fleet.ts'
import { gapMs, recordsOf, recordsOn, runnerOf, starts } from './support/run-records.ts'

/** Long, so that no worker loses its lease because the machine is busy. */
const CALM_LEASE_MS = 20_000
const SLOW = { timeout: 120_000 }

describe('a worker that is stopped', SLOW, () => {
  let fleet: QueueFleet

  afterEach(() => fleet.stop())

  it('hands its work back on SIGTERM, and another one continues within a second', async () => {
    fleet = await startFleet({ workers: 2, leaseMs: CALM_LEASE_MS })
    await fleet.register({ a: 'db:a' })
    const { operation } = await fleet.request('a', { ms: 1_500 })
    const [first, other] = await runnerOf(fleet, operation.id)
    const stoppedAt = performance.now()
    await first.end('SIGTERM')
    assert.equal(first.child.exitCode, 0)
    assert.ok(performance.now() - stoppedAt < 5_000)

    const [ended] = await fleet.finished([operation.id], 10_000)
    assert.equal(ended?.state, 'completed')
    assert.equal(ended?.attempts, 1, 'a hand-back is no attempt')
    const records = await recordsOf(fleet, operation.id)
    assert.deepEqual(
      records.map(({ event, worker }) => [event, worker]),
      [
        ['start', first.pid],
        ['aborted', first.pid],
        ['start', other.pid],
        ['end', other.pid],
      ],
    )
    const [, aborted, resumed] = records
    assert.ok(gapMs(aborted, resumed) < 1_000, `handed over after ${gapMs(aborted, resumed)} ms`)
  })

  it('finishes what ends within the grace time', async () => {
    fleet = await startFleet({ workers: 1, leaseMs: CALM_LEASE_MS })
    await fleet.register({ a: 'db:a' })
    const { operation } = await fleet.request('a', { ms: 150 })
    const [worker] = await runnerOf(fleet, operation.id)
    await worker.end('SIGTERM')
    const ended = await fleet.catalog.operations.get(operation.id)
    assert.equal(ended.state, 'completed')
  })

  it('gets no result recorded when it thaws after another one took over', async () => {
    fleet = await startFleet({ workers: 2 })
    await fleet.register({ a: 'db:a' })
    const { operation } = await fleet.request('a', { ms: 500 })
    const [zombie, other] = await runnerOf(fleet, operation.id)
    zombie.child.kill('SIGSTOP')
    const [ended] = await fleet.finished([operation.id], 20_000)
    zombie.child.kill('SIGCONT')
    // it goes on for a moment, and may even reach its end
    await sleep(1_000)
    assert.equal(ended?.result?.worker, other.pid)
    assert.deepEqual(await fleet.catalog.operations.get(operation.id), ended)

    // and it works again as if nothing had happened
    const more = ['x', 'y', 'z'].map((n) => fleet.request('a', { ms: 10 }, { labels: { n } }))
    const ids = (await Promise.all(more)).map((accepted) => accepted.operation.id)
    await fleet.finished(ids, 10_000)
  })

  it('by SIGKILL is replaced within lease and stall check, and WORKER_LOST when that never ends', async () => {
    const leaseMs = 1_000
    fleet = await startFleet({ workers: 2, leaseMs })
    await fleet.register({ a: 'db:a' })
    const { operation } = await fleet.request('a', { ms: 60_000 })
    const killedAt: number[] = []
    for (let kills = 0; kills < 3; kills += 1) {
      const [victim] = await runnerOf(fleet, operation.id)
      killedAt.push(Number(process.hrtime.bigint() / 1_000n))
      await Promise.all([victim.end('SIGKILL'), fleet.startWorker()])
    }
    const [ended] = await fleet.finished([operation.id], 20_000)
    assert.equal(ended?.state, 'failed')
    assert.equal(ended?.error?.code, 'WORKER_LOST')
    const [first, second, third] = starts(await recordsOf(fleet, operation.id))
    assert.deepEqual([first?.takenOver, second?.takenOver, third?.takenOver], [false, true, true])
    const lostMs = ((second?.at ?? 0) - (killedAt[0] ?? 0)) / 1_000
    assert.ok(lostMs < 3 * leaseMs + 2_500, `taken over after ${lostMs} ms`)
  })
})

describe('an operation', SLOW, () => {
  let fleet: QueueFleet
  let unreachable: Operation

  beforeAll(async () => {
    fleet = await startFleet({ workers: 2, leaseMs: CALM_LEASE_MS })
    const names = ['retry', 'behind', 'bug', 'equal', 'migration', 'cancel']
    await fleet.register(Object.fromEntries(names.map((name) => [name, `db:${name}`])))
    // it pauses for six seconds, in which others are tried
    unreachable = (await fleet.request('retry', { ms: 10, throws: 'unreachable' })).operation
  })

  afterAll(() => fleet.stop())

  it('does not keep others from its database while it pauses', async () => {
    const failing = await fleet.request('behind', { ms: 10, throws: 'unreachable' })
    const good = await fleet.request('behind', { ms: 10 })
    const [ended] = await fleet.finished([good.operation.id], 1_800)
    assert.equal(ended?.state, 'completed')
    assert.equal((await fleet.catalog.operations.get(failing.operation.id)).state, 'queued')
  })

  it('is not tried again after a bug, whose text stays in the log', async () => {
    const { operation } = await fleet.request('bug', { ms: 10, throws: 'bug' })
    const [ended] = await fleet.finished([operation.id], 10_000)
    assert.equal(ended?.error?.code, 'INTERNAL')
    assert.doesNotMatch(JSON.stringify(ended), /a bug/)
    const records = await recordsOf(fleet, operation.id)
    assert.deepEqual(
      records.map(({ event }) => event),
      ['start', 'threw', 'settle'],
    )
    const output = fleet.workers.map((worker) => worker.output()).join('')
    assert.equal(output.match(/TypeError: a bug/g)?.length, 1)
  })

  it('is one run and one id for equal requests, however many come at once', async () => {
    const accepted = await Promise.all(Array.from({ length: 10 }, () => fleet.request('equal', { ms: 300 })))
    const ids = new Set(accepted.map(({ operation }) => operation.id))
    assert.equal(ids.size, 1)
    assert.equal(accepted.filter(({ coalesced }) => coalesced).length, 9)
    await fleet.finished([...ids], 10_000)
    assert.equal(starts(await recordsOn(fleet, 'db:equal')).length, 1)
  })

  it('before a migration gets a run of its own, after the equal one under way', async () => {
    const first = await fleet.request('migration', { ms: 500 })
    await runnerOf(fleet, first.operation.id)
    const second = await fleet.request('migration', { ms: 500 }, { kind: 'pre-migration' })
    assert.notEqual(second.operation.id, first.operation.id)
    await fleet.finished([first.operation.id, second.operation.id], 10_000)
    const expected = [first, second].flatMap(({ operation: { id } }) => [
      ['start', id],
      ['end', id],
    ])
    const records = await recordsOn(fleet, 'db:migration')
    assert.deepEqual(
      records.map(({ event, id }) => [event, id]),
      expected,
    )
  })

  it('is cancelled at once while it waits, and soon while it runs', async () => {
    const running = await fleet.request('cancel', { ms: 20_000 })
    const waiting = await fleet.request('cancel', { ms: 20_001 })
    await runnerOf(fleet, running.operation.id)
    const control = connectRedis(fleet.redis.url, 'producer', silent)
    const deps = { ...fleet, events: createOperationEvents(control), log: silent }
    const cancelled = await cancelOperation(deps, waiting.operation.id)
    assert.equal(cancelled.state, 'cancelled')
    await cancelOperation(deps, running.operation.id)
    const [ended] = await fleet.finished([running.operation.id], 2_000)
    control.disconnect()
    assert.equal(ended?.state, 'cancelled')
    const records = await recordsOn(fleet, 'db:cancel')
    assert.deepEqual(
      records.map(({ event, id }) => [event, id]),
      ['start', 'aborted', 'settle'].map((event) => [event, running.operation.id]),
    )
  })

  it('is tried three times with a growing pause when waiting may heal its failure', async () => {
    const [ended] = await fleet.finished([unreachable.id], 20_000)
    assert.equal(ended?.state, 'failed')
    assert.equal(ended?.error?.code, 'TARGET_UNREACHABLE')
    const [first, second, third, fourth] = starts(await recordsOf(fleet, unreachable.id))
    assert.ok(gapMs(first, second) >= 1_900 && gapMs(second, third) >= 3_900)
    assert.equal(fourth, undefined)
  })
})

describe('a catalog that another program keeps locked', SLOW, () => {
  let fleet: QueueFleet

  beforeAll(async () => {
    fleet = await startFleet({ workers: 2, leaseMs: 2_500 })
    await fleet.register({ short: 'db:short', long: 'db:long' })
  })

  afterAll(() => fleet.stop())

  it('for less than the lease disturbs nothing', async () => {
    const { operation } = await fleet.request('short', { ms: 800 })
    await runnerOf(fleet, operation.id)
    await keepLocked(fleet.catalogFile, 1_000)
    const [ended] = await fleet.finished([operation.id], 10_000)
    assert.equal(ended?.state, 'completed')
    assert.equal(starts(await recordsOf(fleet, operation.id)).length, 1)
  })

  it('for longer than the lease stops the work, which is done again later', async () => {
    const { operation } = await fleet.request('long', { ms: 4_000 })
    await runnerOf(fleet, operation.id)
    await keepLocked(fleet.catalogFile, 5_500)
    const [ended] = await fleet.finished([operation.id], 40_000)
    assert.equal(ended?.state, 'completed')
    const records = await recordsOf(fleet, operation.id)
    assert.deepEqual(
      records.map(({ event }) => event),
      ['start', 'aborted', 'start', 'end'],
    )
    assert.equal(records.at(-1)?.fence, ended?.result?.fence)
  })
})

/** As a backup program or a person with a shell might. */
async function keepLocked(file: string, ms: number): Promise<void> {
  const database = new DatabaseSync(file, { timeout: 1_000 })
  database.exec('BEGIN IMMEDIATE')
  await sleep(ms)
  database.exec('ROLLBACK')
  database.close()
}
