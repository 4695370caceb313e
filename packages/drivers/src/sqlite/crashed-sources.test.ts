import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { SqlitePlace } from '@holdfast/testing'
import { DriverBench, fingerprintOf, makeSqlitePlace, never, rejectsWith, sqliteUrl } from '@holdfast/testing'
import { createSampleDatabase, databaseDigest } from '@holdfast/testing/sqlite'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory()
let place: SqlitePlace
let bench: DriverBench

beforeEach(async () => {
  place = await makeSqlitePlace({ journalMode: 'delete' })
  bench = new DriverBench(factory, place)
})
afterEach(() => place.remove())
afterAll(() => factory.close())

describe('a source that a crash left in the middle of a transaction', () => {
  it('is rolled back in a private copy, and itself stays as it was', async () => {
    const path = place.path('crashed.db')
    createSampleDatabase(path, { journalMode: 'delete', records: 3000 })
    const digest = databaseDigest(path)
    crashInTransaction(path)
    assert.ok(existsSync(`${path}-journal`))
    const before = fingerprintOf(place.databases)

    const info = await bench.driver(sqliteUrl(path)).inspect(never)
    assert.match(info.warnings.join(), /in the middle of a transaction/)
    const dump = await bench.dump(sqliteUrl(path))
    assert.equal(dump.summary.details.copiedBy, 'recovered')
    assert.match(dump.summary.warnings.join(), /private copy/)
    assert.equal(fingerprintOf(place.databases), before)

    const copy = await place.absent()
    await bench.restore(dump, copy)
    assert.equal(await place.digest(copy), digest)
  })

  it('is a destination as good as any: what it was before the transaction is kept aside', async () => {
    const path = place.path('crashed.db')
    createSampleDatabase(path, { journalMode: 'delete', records: 3000 })
    const digest = databaseDigest(path)
    crashInTransaction(path)
    const source = await place.seeded()
    const { replaced } = await bench.restore(await bench.dump(source), sqliteUrl(path))
    assert.ok(replaced)
    assert.equal(databaseDigest(path), await place.digest(source))
    await bench.driver(sqliteUrl(path)).undo(replaced.ticket, async () => {}, never)
    assert.equal(databaseDigest(path), digest)
  })
})

describe('temporary space that is full', () => {
  it.each(['wal', 'delete', 'crashed'])('is told as such, and nothing is left (%s)', async (kind) => {
    const path = place.path('large.db')
    createSampleDatabase(path, { journalMode: kind === 'wal' ? 'wal' : 'delete', records: 20_000 })
    if (kind === 'crashed') crashInTransaction(path)
    const before = fingerprintOf(place.databases)
    await onSmallDisk(place.scratchDir, '2m', async () => {
      const sink = await bench.sink()
      const dumping = bench.driver(sqliteUrl(path)).dump(bench.dumpRequest(sink), never)
      await rejectsWith('TEMPORARY_SPACE_FULL', dumping)
      assert.deepEqual(readdirSync(sink.directory), [])
    })
    assert.equal(
      fingerprintOf(place.databases).split('\n').slice(1).join(),
      before.split('\n').slice(1).join(),
    )
  })
})

describe('a destination whose disk is full', () => {
  it('is told before anything is written, if it is plain that it cannot hold the restore', async () => {
    const dump = await bench.dump(await place.large(8))
    await onSmallDisk(place.databases, '6m', async () => {
      const error = await rejectsWith(
        'TEMPORARY_SPACE_FULL',
        bench.stage(dump, sqliteUrl(place.path('new.db'))),
      )
      assert.match(error.message, /bytes are free/)
      assert.deepEqual(readdirSync(place.databases), [])
    })
  })

  it.each(['wal', 'delete'] as const)(
    'keeps the old database and can go on later (%s)',
    async (journalMode) => {
      const dump = await bench.dump(await place.large(5))
      await onSmallDisk(place.databases, '24m', async () => {
        const path = place.path('old.db')
        createSampleDatabase(path, { journalMode, records: 12_000 })
        const digest = databaseDigest(path)
        const ticket = await bench.stage(dump, sqliteUrl(path))
        const names = readdirSync(place.databases)
        const filler = place.path('filler')
        fill(filler)
        await rejectsWith(
          'TEMPORARY_SPACE_FULL',
          bench.driver(sqliteUrl(path)).swap(ticket, async () => {}, never),
        )
        execFileSync('rm', [filler])
        assert.equal(databaseDigest(path), digest)
        assert.deepEqual(readdirSync(place.databases), names)

        // room for the copy that is kept aside, not for the journal of the transaction
        const { bavail, bsize } = statfsSync(place.databases)
        const leave = statSync(path).size + 1024 * 1024
        execFileSync('fallocate', ['-l', String(bavail * bsize - leave), filler])
        await rejectsWith(
          'TEMPORARY_SPACE_FULL',
          bench.driver(sqliteUrl(path)).swap(ticket, async () => {}, never),
        )
        execFileSync('rm', [filler])
        assert.equal(databaseDigest(path), digest)
        assert.deepEqual(readdirSync(place.databases), names)

        const { replaced } = await bench.driver(sqliteUrl(path)).swap(ticket, async () => {}, never)
        assert.ok(replaced)
        assert.notEqual(databaseDigest(path), digest)
      })
    },
  )
})

/** A process that dies with half of a large transaction written to the file. */
function crashInTransaction(path: string): void {
  const library = createRequire(import.meta.url).resolve('better-sqlite3')
  const script = `
    const Database = require(${JSON.stringify(library)})
    const connection = new Database(${JSON.stringify(path)})
    connection.pragma('cache_size = 5')
    connection.exec("BEGIN; UPDATE records SET name = name || ' changed'; UPDATE accounts SET balance = 0")
    process.kill(process.pid, 'SIGKILL')`
  try {
    execFileSync(process.execPath, ['-e', script])
  } catch (error) {
    assert.ok(error instanceof Error && 'signal' in error && error.signal === 'SIGKILL')
  }
}

async function onSmallDisk(directory: string, size: string, work: () => Promise<void>): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory])
  try {
    await work()
  } finally {
    execFileSync('umount', [directory])
  }
}

function fill(file: string): void {
  try {
    writeFileSync(file, Buffer.alloc(64 * 1024 * 1024))
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ENOSPC')
  }
}
