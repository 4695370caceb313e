import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accepted, Operation } from '@holdfast/core'
import { afterEach, describe, it } from 'vitest'
import type { QueueFleet, RunRecord } from './support/queue-fleet.ts'
import { startFleet } from './support/queue-fleet.ts'

const DATABASES = 20
const NAMES = 30
const REQUESTS = 400
/** Short, so that frozen workers lose their leases. */
const LEASE_MS = 2_000
/** Long, so that no worker loses its lease because the machine is busy. */
const CALM_LEASE_MS = 20_000
const TIMEOUT_MS = 300_000
/** Asked for at the same time. */
const BATCH = 20

let fleet: QueueFleet

afterEach(() => fleet.stop())

describe('four workers, twenty databases under thirty names, 400 different requests', {
  timeout: TIMEOUT_MS,
}, () => {
  it('are all carried out, one at a time and in order for each database', async () => {
    fleet = await startFleet({ workers: 4, leaseMs: CALM_LEASE_MS })
    await fleet.register(thirtyNames())
    const ids = await requestMany(fleet, 30)
    const operations = await fleet.finished(ids, 120_000)

    assertAllCompleted(operations)
    const records = await backupRecords(fleet)
    assert.equal(records.filter((record) => record.event === 'start').length, REQUESTS)
    assertOneAtATime(records)
    assertInOrder(operations)
  })

  it('are all carried out while workers are killed and frozen, and no zombie gets its result recorded', async () => {
    fleet = await startFleet({ workers: 4, leaseMs: LEASE_MS })
    await fleet.register(thirtyNames())
    const chaos = new AbortController()
    const harm = harmWorkers(fleet, chaos.signal)
    const ids = await requestMany(fleet, 180)
    const operations = await fleet.finished(ids, 200_000)
    chaos.abort()
    const { kills, freezes } = await harm

    assertAllCompleted(operations)
    const records = await backupRecords(fleet)
    const recorded = new Map(operations.map((operation) => [operation.id, operation.result?.fence]))
    const runs = records.filter((record) => record.event === 'start')
    const refused = runs.filter((run) => recorded.get(run.id) !== run.fence)
    assertOneAtATime(records.filter((record) => recorded.get(record.id) === record.fence))
    assertInOrder(operations)
    assert.ok(kills >= 3 && freezes >= 3, `too little chaos: ${kills} kills, ${freezes} freezes`)
    assert.ok(refused.length > 0, 'nothing was ever interrupted')
  })
})

/** Kills one worker and freezes another beyond its lease, again and again, replacing the dead. */
async function harmWorkers(
  harmed: QueueFleet,
  signal: AbortSignal,
): Promise<{ readonly kills: number; readonly freezes: number }> {
  const alive = [...harmed.workers]
  let kills = 0
  let freezes = 0
  const thawing: Promise<void>[] = []
  while (!signal.aborted) {
    await sleep(800 + Math.random() * 800)
    const victim = alive.splice(Math.floor(Math.random() * alive.length), 1)[0]
    if (victim === undefined) continue
    // whom and when is chance; that there are enough of both is not
    if ((kills + freezes) % 3 === 2) {
      kills += 1
      await victim.end('SIGKILL')
      alive.push(await harmed.startWorker())
      continue
    }
    freezes += 1
    victim.child.kill('SIGSTOP')
    thawing.push(
      sleep(LEASE_MS + Math.random() * 1_500).then(() => {
        victim.child.kill('SIGCONT')
        alive.push(victim)
      }),
    )
  }
  await Promise.all(thawing)
  return { kills, freezes }
}

function thirtyNames(): Record<string, string> {
  const names = Array.from({ length: NAMES }, (_, index) => [`t${index}`, `db:${index % DATABASES}`])
  return Object.fromEntries(names)
}

async function requestMany(to: QueueFleet, ms: number): Promise<readonly string[]> {
  const accepted: Accepted[] = []
  for (let from = 0; from < REQUESTS; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, offset) => from + offset)
    accepted.push(
      ...(await Promise.all(
        batch.map((index) => to.request(`t${index % NAMES}`, { ms }, { labels: { n: `${index}` } })),
      )),
    )
  }
  assert.ok(accepted.every(({ coalesced }) => !coalesced))
  return accepted.map(({ operation }) => operation.id)
}

/** Without the runs of retention that the workers ask for by themselves. */
async function backupRecords(of: QueueFleet): Promise<readonly RunRecord[]> {
  return (await of.records()).filter((record) => record.lockKey.startsWith('db:'))
}

function assertAllCompleted(operations: readonly Operation[]): void {
  assert.equal(operations.length, REQUESTS)
  const others = operations.filter((operation) => operation.state !== 'completed')
  assert.deepEqual(
    others.map(({ id, state, error }) => ({ id, state, error })),
    [],
  )
}

function assertOneAtATime(records: readonly RunRecord[]): void {
  const databases = grouped(records)
  assert.equal(databases.length, DATABASES)
  for (const group of databases) {
    const inTime = group.toSorted((a, b) => a.at - b.at)
    inTime.forEach((record, index) => {
      assert.equal(record.event, index % 2 === 0 ? 'start' : 'end')
      if (record.event === 'end') assert.equal(record.id, inTime[index - 1]?.id)
    })
  }
}

/** The fence of a database only ever grows, so the order of the recorded fences is the order of the recorded runs. */
function assertInOrder(operations: readonly Operation[]): void {
  for (const group of grouped(operations)) {
    const inLine = group.toSorted((a, b) => a.seq - b.seq).map((operation) => Number(operation.result?.fence))
    assert.deepEqual(
      inLine,
      inLine.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(inLine).size, inLine.length)
  }
}

function grouped<Item extends { readonly lockKey: string }>(
  items: readonly Item[],
): readonly (readonly Item[])[] {
  return Object.values(Object.groupBy(items, (item) => item.lockKey)).map((group) => group ?? [])
}
