import assert from 'node:assert/strict'
import { isAbsolute } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { it } from 'vitest'
import { descendantsOf, waitUntilGone } from '../processes.ts'
import { rejectsWith } from '../rejects-with.ts'
import type { DriverBench, DriverSuite } from './bench.ts'
import { measure, namesIn, never } from './bench.ts'

/** Restores of a server engine one after another, on a loaded machine. */
const MANY_RESTORES_MS = 180_000

/** Looking at a database and dumping it. */
export function describeDumping(suite: DriverSuite): void {
  it('inspects a database and finds the identity that its URL promises', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const info = await bench.driver(url).inspect(never)
      assert.match(info.version, /\d+\.\d+/)
      assert.notEqual(info.toolVersion, '')
      assert.ok(info.sizeBytes > 0)
      assert.equal(info.lockKey, await bench.factory.lockKeyOf(url))
      assert.ok(info.files.every(isAbsolute), String(info.files))
    }))

  it('shows a URL that opens the same database', () =>
    suite.onBench(async ({ factory, place }) => {
      const url = await place.seeded()
      const shown = factory.displayUrl(url)
      assert.equal(factory.displayUrl(shown), shown)
      assert.equal(await factory.lockKeyOf(shown), await factory.lockKeyOf(url))
    }))

  it('tells exactly what it wrote, and counts the rows of the source', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const before = Date.now()
      const { file, summary } = await bench.dump(url)
      const { sizeBytes, sha256 } = await measure(file)
      assert.equal(summary.sizeBytes, sizeBytes)
      assert.equal(summary.sha256, sha256)
      assert.deepEqual(summary.rowCounts, await bench.place.rowCounts(url))
      const at = Date.parse(summary.consistentAt)
      assert.ok(at >= before - 1 && at <= Date.now(), summary.consistentAt)
    }))

  it('leaves the source and all that lies beside it as they were', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const before = await bench.place.traces()
      await bench.driver(url).inspect(never)
      await bench.dump(url)
      assert.deepEqual(await bench.place.traces(), before)
    }))

  it('reports progress up to the size of the dump', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.large(20)
      const seen: number[] = []
      const { summary } = await bench.dump(url, { onProgress: ({ bytes }) => seen.push(bytes) })
      assert.equal(seen.at(-1), summary.sizeBytes)
      assert.deepEqual(
        seen,
        seen.toSorted((one, other) => one - other),
      )
    }))

  it('does nothing when it is cancelled before it begins', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const before = await bench.place.traces()
      const sink = await bench.sink()
      const dumping = bench.driver(url).dump(bench.dumpRequest(sink), AbortSignal.abort())
      await rejectsWith('CANCELLED', dumping)
      assert.deepEqual(await namesIn(sink.directory), [])
      assert.deepEqual(await namesIn(sink.scratchDir), [])
      assert.deepEqual(await bench.place.traces(), before)
    }))

  it('leaves no file and no process at work when it is cancelled half-way', () =>
    suite.onOwnFactory(async (bench) => {
      const others = await descendantsOf(process.pid)
      const url = await bench.place.large(40)
      await bench.driver(url).inspect(never)
      const before = await bench.place.traces()
      const sink = await bench.sink()
      const cancel = new AbortController()
      const request = bench.dumpRequest(sink, { onProgress: () => cancel.abort() })
      await rejectsWith('CANCELLED', bench.driver(url).dump(request, cancel.signal))
      assert.deepEqual(await namesIn(sink.directory), [])
      assert.deepEqual(await bench.place.traces(), before)
      await bench.factory.close()
      assert.deepEqual(await waitUntilGone(await startedSince(others, bench)), [])
    }))

  it(
    'shows one moment while other processes write',
    () =>
      suite.onBench(async (bench) => {
        const url = await bench.place.seeded()
        const use = await bench.place.use(url)
        const dumps = []
        for (let round = 0; round < 8; round += 1) {
          dumps.push(await bench.dump(url))
          await delay(20)
        }
        assert.deepEqual(await use.stop(), [])
        for (const dump of dumps) {
          const copy = await bench.place.absent()
          await bench.restore(dump, copy)
          assert.deepEqual(await bench.place.problems(copy), [])
          assert.deepEqual(await bench.place.rowCounts(copy), dump.summary.rowCounts)
        }
      }),
    MANY_RESTORES_MS,
  )

  it('ends every process it started when it is closed', () =>
    suite.onOwnFactory(async (bench) => {
      const others = await descendantsOf(process.pid)
      await bench.dump(await bench.place.seeded())
      await bench.factory.close()
      assert.deepEqual(await waitUntilGone(await startedSince(others, bench)), [])
    }))
}

async function startedSince(others: readonly number[], { place }: DriverBench): Promise<readonly number[]> {
  const found = await descendantsOf(process.pid)
  // afterwards: a session that has just ended is gone when it is looked for again
  const known = [...others, ...(await place.serverProcesses())]
  return found.filter((pid) => !known.includes(pid))
}
