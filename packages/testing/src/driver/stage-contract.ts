import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { StageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { DriverBench, DriverSuite, TakenDump } from './bench.ts'
import { never } from './bench.ts'

/** Bringing a dump next to its destination: until the swap, nothing may be seen of it. */
export function describeStaging(suite: DriverSuite): void {
  it('leaves an existing database as it is', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const url = await bench.place.seeded()
      const before = await bench.place.digest(url)
      await bench.stage(dump, url)
      assert.equal(await bench.place.digest(url), before)
    }))

  it('leaves nothing when its data is discarded, however often', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const url = await bench.place.seeded()
      const before = await bench.place.traces()
      const operationId = bench.newOperationId()
      await bench.stage(dump, url, operationId)
      await bench.driver(url).discardStaged(operationId)
      await bench.driver(url).discardStaged(operationId)
      assert.deepEqual(await bench.place.traces(), before)
    }))

  it('replaces what an earlier attempt of the same operation staged', () =>
    suite.onBench(async (bench) => {
      const first = await bench.dump(await bench.place.seeded())
      const source = await bench.place.seeded()
      const second = await bench.dump(source)
      const url = await bench.place.absent()
      const operationId = bench.newOperationId()
      await bench.stage(first, url, operationId)
      const ticket = await bench.stage(second, url, operationId)
      await bench.driver(url).swap(ticket, async () => {}, never)
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
    }))

  it('reports what it has taken in', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.large(8))
      const seen: number[] = []
      await stageFrom(bench, dump, createReadStream(dump.file), {
        onProgress: ({ bytes }) => seen.push(bytes),
      })
      assert.equal(seen.at(-1), dump.summary.sizeBytes)
    }))

  it('rejects with the error of its source and leaves nothing', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const failure = new AppError('ARTIFACT_CORRUPT', 'the hash is another')
      const bytes = await readFile(dump.file)
      async function* failing() {
        yield bytes.subarray(0, bytes.length / 2)
        throw failure
      }
      await leavesNothing(bench, async () => {
        const error = await rejectsWith('ARTIFACT_CORRUPT', stageFrom(bench, dump, Readable.from(failing())))
        assert.equal(error, failure)
      })
    }))

  it('rejects a source that ends early, and leaves nothing', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const half = Readable.from([(await readFile(dump.file)).subarray(0, 5000)])
      await leavesNothing(bench, () => rejectsWith('ARTIFACT_CORRUPT', stageFrom(bench, dump, half)))
    }))

  it('rejects bytes that are no database, and leaves nothing', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const noise = Readable.from([Buffer.alloc(dump.summary.sizeBytes, 'noise')])
      await leavesNothing(bench, async () => {
        const failure = await stageFrom(bench, dump, noise).catch((error: unknown) => error)
        assert.ok(failure instanceof AppError)
        assert.ok(['VERIFICATION_FAILED', 'ARTIFACT_CORRUPT'].includes(failure.code), failure.code)
      })
    }))

  it('leaves nothing when it is cancelled before or while its source flows, and destroys the source', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const bytes = await readFile(dump.file)
      async function* slow() {
        yield bytes.subarray(0, 4096)
        await delay(60_000, undefined, { ref: false })
      }
      for (const signal of [AbortSignal.abort(), AbortSignal.timeout(200)]) {
        const source = Readable.from(slow())
        await leavesNothing(bench, () => rejectsWith('CANCELLED', stageFrom(bench, dump, source, {}, signal)))
        assert.ok(source.destroyed)
      }
    }))

  it('rejects operation ids that are no names', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      await leavesNothing(bench, async () => {
        for (const operationId of ['../escape', 'a/b', '', 'x'.repeat(300), 'nul\0']) {
          const source = createReadStream(dump.file)
          await rejectsWith('INVALID_REQUEST', stageFrom(bench, dump, source, { operationId }))
        }
      })
    }))
}

async function leavesNothing(bench: DriverBench, act: () => Promise<unknown>): Promise<void> {
  const before = await bench.place.traces()
  await act()
  assert.deepEqual(await bench.place.traces(), before)
}

async function stageFrom(
  bench: DriverBench,
  dump: TakenDump,
  source: Readable,
  change: Partial<StageRequest> = {},
  signal: AbortSignal = never,
): Promise<string> {
  const request = await bench.stageRequest(dump, change)
  return bench.driver(await bench.place.absent()).stage(request, source, signal)
}
