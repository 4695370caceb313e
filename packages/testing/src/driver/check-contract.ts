import assert from 'node:assert/strict'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { it } from 'vitest'
import { withFlip } from '../damage.ts'
import { rejectsWith } from '../rejects-with.ts'
import type { DriverSuite } from './bench.ts'
import { namesIn } from './bench.ts'

/** Checking dumps without their target. */
export function describeChecking(suite: DriverSuite): void {
  it('finds its own dump sound, at both depths, and leaves nothing beside it', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const structure = await bench.check(dump, 'structure')
      assert.ok(structure.valid, structure.message)
      assert.equal(structure.rowCounts, null)
      const full = await bench.check(dump, 'full')
      assert.ok(full.valid, full.message)
      assert.deepEqual(full.rowCounts, dump.summary.rowCounts)
      assert.deepEqual(await namesIn(dirname(dump.file)), ['dump'])
    }))

  it.each([0, 0.25, 0.5, 0.99])('finds a dump cut to %f of its size unsound', (part) =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      await truncate(dump.file, Math.floor(dump.summary.sizeBytes * part))
      const report = await bench.check(dump, 'structure')
      assert.equal(report.valid, false)
      assert.notEqual(report.message, '')
    }),
  )

  it('finds a dump with a damaged head unsound', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      await writeFile(dump.file, withFlip(await readFile(dump.file), { offset: 3, mask: 4 }))
      assert.equal((await bench.check(dump, 'structure')).valid, false)
    }))

  it('finds something else than a dump unsound', () =>
    suite.onBench(async (bench) => {
      const { file } = await bench.sink()
      const { description } = await bench.dump(await bench.place.seeded())
      await writeFile(file, 'hello, world\n'.repeat(10_000))
      assert.equal((await bench.check({ file, description }, 'full')).valid, false)
    }))

  it('rejects a format of another engine', () =>
    suite.onBench(async (bench) => {
      const { file, description } = await bench.dump(await bench.place.seeded())
      const foreign = { file, description: { ...description, format: 'no-such-format' } }
      await rejectsWith('INVALID_REQUEST', bench.check(foreign, 'structure'))
    }))
}
