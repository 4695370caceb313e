import assert from 'node:assert/strict'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { it } from 'vitest'
import { withFlip } from '../damage.ts'
import { rejectsWith } from '../rejects-with.ts'
import type { DriverBench, DriverSuite } from './bench.ts'
import { namesIn, never } from './bench.ts'

/** Checking dumps without their target. */
export function describeChecking(suite: DriverSuite): void {
  it('finds its own dump sound, at both depths, and leaves nothing beside it', () =>
    suite.onBench(async (bench) => {
      const { file, summary } = await bench.dump(await bench.place.seeded())
      const structure = await check(bench, file, summary.format, 'structure')
      assert.ok(structure.valid, structure.message)
      assert.equal(structure.rowCounts, null)
      const full = await check(bench, file, summary.format, 'full')
      assert.ok(full.valid, full.message)
      assert.deepEqual(full.rowCounts, summary.rowCounts)
      assert.deepEqual(await namesIn(dirname(file)), ['dump'])
    }))

  it.each([0, 0.25, 0.5, 0.99])('finds a dump cut to %f of its size unsound', (part) =>
    suite.onBench(async (bench) => {
      const { file, summary } = await bench.dump(await bench.place.seeded())
      await truncate(file, Math.floor(summary.sizeBytes * part))
      const report = await check(bench, file, summary.format, 'structure')
      assert.equal(report.valid, false)
      assert.notEqual(report.message, '')
    }),
  )

  it('finds a dump with a damaged head unsound', () =>
    suite.onBench(async (bench) => {
      const { file, summary } = await bench.dump(await bench.place.seeded())
      await writeFile(file, withFlip(await readFile(file), { offset: 3, mask: 4 }))
      assert.equal((await check(bench, file, summary.format, 'structure')).valid, false)
    }))

  it('finds something else than a dump unsound', () =>
    suite.onBench(async (bench) => {
      const { file } = await bench.sink()
      const { summary } = await bench.dump(await bench.place.seeded())
      await writeFile(file, 'hello, world\n'.repeat(10_000))
      assert.equal((await check(bench, file, summary.format, 'full')).valid, false)
    }))

  it('rejects a format of another engine', () =>
    suite.onBench(async (bench) => {
      const { file } = await bench.dump(await bench.place.seeded())
      await rejectsWith('INVALID_REQUEST', check(bench, file, 'no-such-format', 'structure'))
    }))
}

function check(bench: DriverBench, file: string, format: string, depth: 'structure' | 'full') {
  return bench.factory.check(file, format, depth, bench.place.context, never)
}
