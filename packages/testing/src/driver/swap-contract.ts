import assert from 'node:assert/strict'
import { AppError } from '@holdfast/core'
import { it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import type { DriverSuite } from './bench.ts'
import { allow, never } from './bench.ts'

/** Making staged data the database, and taking that back. */
export function describeSwapping(suite: DriverSuite): void {
  it('restores what it dumped to a place where there was nothing', () =>
    suite.onBench(async (bench) => {
      const source = await bench.place.seeded()
      const url = await bench.place.absent()
      assert.equal((await bench.driver(url).inspectDestination(never)).occupied, false)
      const { replaced } = await bench.restore(await bench.dump(source), url)
      assert.equal(replaced, null)
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
    }))

  it('replaces a database, keeps the old one aside, and puts it back', () =>
    suite.onBench(async (bench) => {
      const source = await bench.place.seeded()
      const url = await bench.place.seeded()
      const old = await bench.place.digest(url)
      const report = await bench.driver(url).inspectDestination(never)
      assert.ok(report.exists && report.occupied && report.sizeBytes > 0)
      assert.equal(report.lockKey, await bench.factory.lockKeyOf(url))

      const { replaced } = await bench.restore(await bench.dump(source), url)
      assert.ok(replaced)
      assert.notEqual(replaced.location, '')
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))

      await bench.driver(url).undo(replaced.ticket, allow, never)
      assert.equal(await bench.place.digest(url), old)
    }))

  it('removes what it replaced, however often it is asked to, and nothing else', () =>
    suite.onBench(async (bench) => {
      const source = await bench.place.seeded()
      const url = await bench.place.seeded()
      const names = namesOf(await bench.place.traces())
      const { replaced } = await bench.restore(await bench.dump(source), url)
      assert.ok(replaced)
      assert.notDeepEqual(namesOf(await bench.place.traces()), names)
      await bench.driver(url).removeReplaced(replaced.ticket)
      await bench.driver(url).removeReplaced(replaced.ticket)
      assert.deepEqual(namesOf(await bench.place.traces()), names)
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
      await rejectsWith('UNDO_NOT_POSSIBLE', bench.driver(url).undo(replaced.ticket, allow, never))
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
    }))

  it.each(['seeded', 'absent'] as const)(
    'changes nothing at a destination that is %s if it is refused',
    (kind) =>
      suite.onBench(async (bench) => {
        const source = await bench.place.seeded()
        const url = await bench.place[kind]()
        const ticket = await bench.stage(await bench.dump(source), url)
        const before = namesOf(await bench.place.traces())
        const old = await bench.place.digest(url)
        const refusal = new AppError('FENCE_LOST', 'somebody else is at it')
        const refuse = () => Promise.reject(refusal)
        assert.equal(await rejectsWith('FENCE_LOST', bench.driver(url).swap(ticket, refuse, never)), refusal)
        assert.equal(await bench.place.digest(url), old)
        assert.deepEqual(namesOf(await bench.place.traces()), before)

        await bench.driver(url).swap(ticket, allow, never)
        assert.equal(await bench.place.digest(url), await bench.place.digest(source))
      }),
  )

  it('changes nothing if an undo is refused', () =>
    suite.onBench(async (bench) => {
      const source = await bench.place.seeded()
      const url = await bench.place.seeded()
      const { replaced } = await bench.restore(await bench.dump(source), url)
      assert.ok(replaced)
      const refuse = () => Promise.reject(new AppError('FENCE_LOST', 'somebody else is at it'))
      await rejectsWith('FENCE_LOST', bench.driver(url).undo(replaced.ticket, refuse, never))
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
    }))

  it('is cancelled while it waits for consent, and changes nothing', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const ticket = await bench.stage(await bench.dump(await bench.place.seeded()), url)
      const old = await bench.place.digest(url)
      const names = namesOf(await bench.place.traces())
      const cancel = new AbortController()
      const confirm = async () => {
        cancel.abort()
        await new Promise(() => {})
      }
      await rejectsWith('CANCELLED', bench.driver(url).swap(ticket, confirm, cancel.signal))
      assert.equal(await bench.place.digest(url), old)
      assert.deepEqual(namesOf(await bench.place.traces()), names)
    }))

  it.each(['seeded', 'absent'] as const)('comes to the same end again at a destination that was %s', (kind) =>
    suite.onBench(async (bench) => {
      const source = await bench.place.seeded()
      const url = await bench.place[kind]()
      const old = await bench.place.digest(url)
      const operationId = bench.newOperationId()
      const ticket = await bench.stage(await bench.dump(source), url, operationId)
      const first = await bench.driver(url).swap(ticket, allow, never)
      const again = await bench.driver(url).swap(ticket, allow, never)
      await bench.driver(url).discardStaged(operationId)
      const afterwards = await bench.driver(url).swap(ticket, allow, never)
      assert.deepEqual([again.replaced, afterwards.replaced], [first.replaced, first.replaced])
      assert.equal(await bench.place.digest(url), await bench.place.digest(source))
      if (first.replaced === null) return

      await bench.driver(url).undo(first.replaced.ticket, allow, never)
      await bench.driver(url).undo(first.replaced.ticket, allow, never)
      assert.equal(await bench.place.digest(url), old)
    }),
  )

  it('rejects a swap of data that was discarded', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const old = await bench.place.digest(url)
      const operationId = bench.newOperationId()
      const ticket = await bench.stage(await bench.dump(await bench.place.seeded()), url, operationId)
      await bench.driver(url).discardStaged(operationId)
      await rejectsWith('DATABASE_NOT_FOUND', bench.driver(url).swap(ticket, allow, never))
      assert.equal(await bench.place.digest(url), old)
    }))

  it.each(['', '{}', 'null', '{"version":2}', 'not JSON'])('rejects the ticket %j', (ticket) =>
    suite.onBench(async (bench) => {
      const driver = bench.driver(await bench.place.seeded())
      await rejectsWith('INVALID_REQUEST', driver.swap(ticket, allow, never))
      await rejectsWith('INVALID_REQUEST', driver.undo(ticket, allow, never))
      await rejectsWith('INVALID_REQUEST', driver.removeReplaced(ticket))
    }),
  )

  it('rejects the ticket of another place', () =>
    suite.onBench(async (bench) => {
      const url = await bench.place.seeded()
      const other = await bench.place.seeded()
      const ticket = await bench.stage(await bench.dump(url), url)
      const before = await bench.place.digest(other)
      await rejectsWith('INVALID_REQUEST', bench.driver(other).swap(ticket, allow, never))
      assert.equal(await bench.place.digest(other), before)
    }))

  it('lets other processes go on with the new database', () =>
    suite.onBench(async (bench) => {
      const dump = await bench.dump(await bench.place.seeded())
      const url = await bench.place.seeded()
      const use = await bench.place.use(url)
      const { replaced } = await bench.restore(dump, url)
      assert.ok(replaced)
      await bench.driver(url).undo(replaced.ticket, allow, never)
      assert.deepEqual(await use.stop(), [])
      assert.deepEqual(await bench.place.problems(url), [])
    }))
}

/** Content may move between a database and its log without anything changing: names may not. */
function namesOf(traces: readonly string[]): readonly string[] {
  return traces.map((trace) => trace.split('\t')[0] ?? '')
}
