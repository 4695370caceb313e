import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import type { SqlitePlace, TakenDump } from '@holdfast/testing'
import {
  allow,
  DriverBench,
  fingerprintOf,
  holdSqliteLock,
  makeSqlitePlace,
  never,
  rejectsWith,
  sqliteUrl,
} from '@holdfast/testing'
import type { SampleOptions } from '@holdfast/testing/sqlite'
import { createSampleDatabase, databaseDigest } from '@holdfast/testing/sqlite'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory({ lockWaitMs: 400 })
let place: SqlitePlace
let bench: DriverBench
let path: string
let url: string

beforeEach(async () => {
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
  path = place.path('live.db')
  url = sqliteUrl(path)
})
afterEach(() => place.remove())
afterAll(() => factory.close())

/** A dump of a new database, and what it shows. */
async function dumpOf(options: SampleOptions = {}): Promise<{ dump: TakenDump; digest: string }> {
  const source = place.path('source.db')
  createSampleDatabase(source, { records: 321, userVersion: 99, ...options })
  const dump = await bench.dump(sqliteUrl(source))
  const digest = databaseDigest(source)
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${source}${suffix}`, { force: true })
  return { dump, digest }
}

function pragma(name: string): unknown {
  const connection = new Database(path, { fileMustExist: true })
  try {
    return connection.pragma(name, { simple: true })
  } finally {
    connection.close()
  }
}

describe('a destination of another page size', () => {
  it('takes over the new one in rollback mode, also for open connections', async () => {
    const { dump, digest } = await dumpOf({ pageSize: 1024 })
    createSampleDatabase(path, { journalMode: 'delete' })
    const old = databaseDigest(path)
    const connection = new Database(path)
    connection.exec('SELECT count(*) FROM records')
    const { replaced } = await bench.restore(dump, url)
    assert.ok(replaced)
    assert.equal(connection.prepare('SELECT count(*) FROM records').pluck().get(), 321)
    assert.equal(connection.pragma('page_size', { simple: true }), 1024)
    connection.exec(
      "INSERT INTO records (name, content) VALUES ('late', 'late'); DELETE FROM records WHERE name = 'late'",
    )
    assert.equal(connection.pragma('integrity_check', { simple: true }), 'ok')
    connection.close()
    assert.equal(databaseDigest(path), digest)
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.equal(databaseDigest(path), old)
  })

  it('takes it over in WAL mode if nobody else has the database open, and stays in WAL mode', async () => {
    const { dump, digest } = await dumpOf({ pageSize: 8192 })
    createSampleDatabase(path)
    const old = databaseDigest(path)
    const { replaced } = await bench.restore(dump, url)
    assert.ok(replaced)
    assert.equal(databaseDigest(path), digest)
    assert.equal(pragma('journal_mode'), 'wal')
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.equal(databaseDigest(path), old)
    assert.equal(pragma('journal_mode'), 'wal')
  })

  it('is refused in WAL mode while others have it open, unchanged', async () => {
    const { dump } = await dumpOf({ pageSize: 8192 })
    createSampleDatabase(path)
    const digest = databaseDigest(path)
    const ticket = await bench.stage(dump, url)
    const holder = await holdSqliteLock(path, 'SELECT count(*) FROM records')
    const error = await rejectsWith('DATABASE_LOCKED', bench.driver(url).swap(ticket, allow, never))
    assert.match(`${error.message} ${error.hint}`, /another page size.*stop the processes/)
    await holder.release()
    assert.equal(databaseDigest(path), digest)
    assert.equal(pragma('journal_mode'), 'wal')
  })

  it('stays in WAL mode if the change is refused', async () => {
    const { dump } = await dumpOf({ pageSize: 8192 })
    createSampleDatabase(path)
    const ticket = await bench.stage(dump, url)
    const before = fingerprintOf(place.databases).split('\n').length
    await assert.rejects(
      bench.driver(url).swap(ticket, () => Promise.reject(new Error('no')), never),
      /no/,
    )
    assert.equal(pragma('journal_mode'), 'wal')
    assert.equal(fingerprintOf(place.databases).split('\n').length, before)
    assert.ok(existsSync(path))
  })
})

describe('a destination of another text encoding', () => {
  it.each(['wal', 'delete'] as const)(
    'takes over the new one, and says who must open it again (%s)',
    async (mode) => {
      const { dump, digest } = await dumpOf({ encoding: 'UTF-16le' })
      createSampleDatabase(path, { journalMode: mode })
      const old = databaseDigest(path)
      const connection = new Database(path)
      connection.exec('SELECT count(*) FROM records')
      const { replaced, warnings } = await bench.restore(dump, url)
      assert.ok(replaced)
      assert.match(warnings.join(), /another text encoding/)
      // loud rather than wrong
      assert.throws(() => connection.prepare('SELECT count(*) FROM records').get(), /text encoding/)
      connection.close()
      assert.equal(databaseDigest(path), digest)
      await bench.driver(url).undo(replaced.ticket, allow, never)
      assert.equal(databaseDigest(path), old)
    },
  )
})
