import assert from 'node:assert/strict'
import type { FleetWorker, QueueFleet, RunRecord } from './queue-fleet.ts'
import { until } from './queue-fleet.ts'

/** What the workers noted about these targets' databases, in order of time. */
export async function recordsOn(
  fleet: QueueFleet,
  ...lockKeys: readonly string[]
): Promise<readonly RunRecord[]> {
  const records = await fleet.records()
  return records.filter((record) => lockKeys.includes(record.lockKey)).toSorted((a, b) => a.at - b.at)
}

export async function recordsOf(fleet: QueueFleet, operationId: string): Promise<readonly RunRecord[]> {
  return (await fleet.records()).filter((record) => record.id === operationId).toSorted((a, b) => a.at - b.at)
}

export function starts(records: readonly RunRecord[]): readonly RunRecord[] {
  return records.filter((record) => record.event === 'start')
}

/** Waits until a worker that lives has begun the operation. Returns that one, and another one (itself if alone). */
export async function runnerOf(
  fleet: QueueFleet,
  operationId: string,
): Promise<readonly [runner: FleetWorker, other: FleetWorker]> {
  let runner: FleetWorker | undefined
  await until('the operation runs', 15_000, async () => {
    const begun = starts(await recordsOf(fleet, operationId))
    const alive = fleet.workers.filter(({ child }) => child.exitCode === null && child.signalCode === null)
    runner = alive.find(({ pid }) => begun.some((record) => record.worker === pid))
    return runner !== undefined
  })
  assert.ok(runner)
  return [runner, fleet.workers.find((worker) => worker !== runner) ?? runner]
}

export function gapMs(earlier: RunRecord | undefined, later: RunRecord | undefined): number {
  assert.ok(earlier && later)
  return (later.at - earlier.at) / 1_000
}
