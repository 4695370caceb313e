import assert from 'node:assert/strict'
import type { Catalog, Operation } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import { describe, it } from 'vitest'
import { seededRandom } from '../damage.ts'
import type { CatalogBench } from './bench.ts'
import { unused, useBench } from './bench.ts'
import { FAILED } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

const WORKERS = 4
const DATABASES = 3
const OPERATIONS = 30
const LEASE_MS = 150
const SEED = 20_260_301

/** Many workers at once, some of which die or freeze: the locks must hold, and everything must end. */
export function describeChaos(subject: CatalogSubject): void {
  describe('workers that die and freeze', () => {
    const bench = useBench(subject)

    it('run one operation at a time on each database, and every operation ends once', async () => {
      const run = await prepare(bench())
      await Promise.all(run.catalogs.map((catalog, index) => work(run, catalog, seededRandom(SEED + index))))
      assert.deepEqual(run.overlaps, [])
      assert.equal(run.ends.length, OPERATIONS)
      assert.equal(new Set(run.ends.map(({ id }) => id)).size, OPERATIONS)
      for (const lockKey of run.lockKeys) {
        const fences = run.fences.get(lockKey) ?? []
        assert.ok(fences.length > 0)
        assert.equal(new Set(fences).size, fences.length, 'a fence was given twice')
        // without a death or a freeze, who ends is in order of acceptance
        const seqs = run.ends.filter((end) => end.lockKey === lockKey).map(({ seq }) => seq)
        assert.deepEqual(
          seqs,
          seqs.toSorted((one, other) => one - other),
        )
      }
      assert.ok(run.refused > 0, 'no frozen worker came back too late')
    })
  })
}

interface Run {
  readonly catalogs: readonly Catalog[]
  readonly lockKeys: readonly string[]
  readonly left: Set<Operation>
  readonly busy: Set<string>
  readonly overlaps: string[]
  readonly ends: { readonly id: string; readonly lockKey: string; readonly seq: number }[]
  readonly fences: Map<string, number[]>
  refused: number
}

async function prepare(bench: CatalogBench): Promise<Run> {
  const catalogs = await Promise.all(Array.from({ length: WORKERS }, () => bench.openReal()))
  const lockKeys = Array.from({ length: DATABASES }, () => unused('database'))
  const left = new Set<Operation>()
  for (let index = 0; index < OPERATIONS; index += 1) {
    const lockKey = lockKeys[index % DATABASES] ?? ''
    const operation = await bench.acceptBackup(await bench.target(), { lockKey })
    left.add(operation)
  }
  return {
    catalogs,
    lockKeys,
    left,
    busy: new Set(),
    overlaps: [],
    ends: [],
    fences: new Map(),
    refused: 0,
  }
}

async function work(run: Run, catalog: Catalog, random: () => number): Promise<void> {
  while (run.left.size > 0) {
    const lockKey = run.lockKeys[Math.floor(random() * DATABASES)]
    const line = [...run.left].filter(({ lockKey: key }) => key === lockKey)
    // mostly the oldest, as a queue would hand them out; now and then any
    const index = random() < 0.8 ? 0 : Math.floor(random() * line.length)
    await attempt(run, catalog, line[index], random)
    await pause(1 + random() * 5)
  }
}

async function attempt(
  run: Run,
  catalog: Catalog,
  operation: Operation | undefined,
  random: () => number,
): Promise<void> {
  if (operation === undefined) return
  const token = unused('token')
  const acquired = await catalog.operations.acquire({ operationId: operation.id, token, leaseMs: LEASE_MS })
  if (!acquired.granted) return
  const { held } = acquired
  run.fences.set(held.lockKey, [...(run.fences.get(held.lockKey) ?? []), held.fence])
  const fate = random()
  // dies: never heard of again
  if (fate < 0.1) return
  // freezes past its lease: it may have been taken over, and what it then writes must be refused
  if (fate < 0.2) await pause(LEASE_MS * 3)
  const isFrozen = fate < 0.2
  if (!isFrozen) {
    if (run.busy.has(held.lockKey)) run.overlaps.push(held.lockKey)
    run.busy.add(held.lockKey)
    await pause(random() * 5)
    run.busy.delete(held.lockKey)
  }
  try {
    await catalog.operations.end(held, FAILED)
    run.left.delete(operation)
    run.ends.push({ id: operation.id, lockKey: held.lockKey, seq: operation.seq })
  } catch (error) {
    if (!hasCode(error, 'FENCE_LOST')) throw error
    run.refused += 1
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
