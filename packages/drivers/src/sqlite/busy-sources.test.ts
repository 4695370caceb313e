import assert from 'node:assert/strict'
import type { SqlitePlace } from '@holdfast/testing'
import { DriverBench, makeSqlitePlace, sqliteUrl, stressDumps } from '@holdfast/testing'
import {
  createLargeDatabase,
  createSampleDatabase,
  sampleProblems,
  startSqliteWriter,
} from '@holdfast/testing/sqlite'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory()
let place: SqlitePlace
let bench: DriverBench
let path: string
let url: string

beforeEach(async () => {
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
  path = place.path('busy.db')
  url = sqliteUrl(path)
})
afterEach(() => place.remove())
afterAll(() => factory.close())

describe('a database in WAL mode that is in use', () => {
  it('is dumped while 25 writes and 400 reads a second go on without an error or a stall', async () => {
    createLargeDatabase(path, 60)
    const writer = await startSqliteWriter({ path, role: 'write', perSecond: 25, busyTimeoutMs: 0 })
    const reader = await startSqliteWriter({ path, role: 'read', perSecond: 400, busyTimeoutMs: 0 })
    const dumps = []
    for (let round = 0; round < 5; round += 1) dumps.push(await bench.dump(url))
    const [writes, reads] = [await writer.stop(), await reader.stop()]
    assert.deepEqual([...writes.errors, ...reads.errors], [])
    assert.ok(writes.actions > 0 && reads.actions > 0)
    // without a wait for locks neither can be stalled by one: what remains is the machine's own unsteadiness
    assert.ok(writes.longestMs < 1000, `a write took ${writes.longestMs} ms`)
    assert.ok(reads.longestMs < 1000, `a read took ${reads.longestMs} ms`)
    for (const { file, summary } of dumps) {
      assert.deepEqual(sampleProblems(file), [])
      assert.deepEqual(summary.warnings, [])
      assert.equal(summary.details.copiedBy, 'direct')
    }
  })

  it('is dumped in the time it takes although somebody commits every 2 ms', async () => {
    createLargeDatabase(path, 40)
    const idleMs = await timed(() => bench.dump(url))
    const writer = await startSqliteWriter({ path, role: 'write', perSecond: 500 })
    let counted = 0
    for (let round = 0; round < 5; round += 1) {
      const busyMs = await timed(async () => {
        counted = (await bench.dump(url)).summary.rowCounts.transfers ?? 0
      })
      assert.ok(busyMs < 20 * idleMs + 5000, `${busyMs} ms instead of ${idleMs} ms`)
    }
    const report = await writer.stop()
    assert.deepEqual(report.errors, [])
    assert.ok(counted > 0 && counted <= report.actions)
  })

  it('is dumped right hundreds of times under three writers and checkpoints at random', async () => {
    createSampleDatabase(path, { records: 400 })
    const report = await stressDumps(factory, place, url, {
      seconds: 25,
      mostDumps: 400,
      writers: 3,
      checkpointChance: 0.05,
    })
    assert.deepEqual([report.problems, report.writerErrors], [[], []])
    assert.ok(report.dumps > 20 && report.writes > report.dumps, JSON.stringify(report))
    assert.ok((report.copiedBy.direct ?? 0) > 0.9 * report.dumps, JSON.stringify(report))
  })
})

describe('a database in rollback mode that is in use', () => {
  it('lets its writers wait, and says for how long', async () => {
    createLargeDatabase(path, 30, { journalMode: 'delete' })
    const writer = await startSqliteWriter({ path, role: 'write', perSecond: 25 })
    const { file, summary } = await bench.dump(url)
    const report = await writer.stop()
    assert.deepEqual(report.errors, [])
    assert.match(summary.warnings.join(), /writers had to wait for up to \d+ ms/)
    assert.deepEqual(sampleProblems(file), [])
  })

  it('is dumped right many times under three writers', async () => {
    createSampleDatabase(path, { records: 400, journalMode: 'delete' })
    const report = await stressDumps(factory, place, url, {
      seconds: 6,
      mostDumps: 60,
      writers: 3,
      checkpointChance: 0,
    })
    assert.deepEqual([report.problems, report.writerErrors], [[], []])
    assert.ok(report.dumps > 3, JSON.stringify(report))
  })
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}
