import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  createReadStream,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { SqlitePlace, TakenDump } from '@holdfast/testing'
import {
  allow,
  DriverBench,
  holdSqliteLock,
  makeSqlitePlace,
  never,
  rejectsWith,
  sqliteUrl,
} from '@holdfast/testing'
import type { SampleOptions } from '@holdfast/testing/sqlite'
import { createSampleDatabase, databaseDigest, startSqliteWriter } from '@holdfast/testing/sqlite'
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

describe('a destination where no database is', () => {
  it('gets a private file', async () => {
    const { dump, digest } = await dumpOf()
    await bench.restore(dump, url)
    assert.equal(databaseDigest(path), digest)
    const { mode, nlink } = statSync(path)
    assert.deepEqual([mode & 0o777, nlink], [0o600, 1])
    assert.deepEqual(readdirSync(place.databases), ['live.db'])
  })

  it('does not replay the log of a database that is gone, but keeps it', async () => {
    const { dump, digest } = await dumpOf()
    createSampleDatabase(path, { records: 3000 })
    const connection = new Database(path)
    connection.exec('UPDATE records SET name = name || id')
    const [wal, shm] = [readFileSync(`${path}-wal`), readFileSync(`${path}-shm`)]
    connection.close()
    rmSync(path)
    writeFileSync(`${path}-wal`, wal)
    writeFileSync(`${path}-shm`, shm)
    const report = await bench.driver(url).inspectDestination(never)
    assert.match(report.warnings.join(), /kept aside/)

    const { replaced, warnings } = await bench.restore(dump, url)
    assert.ok(replaced)
    assert.match(warnings.join(), /of a database that was gone/)
    assert.equal(databaseDigest(path), digest)

    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.deepEqual(readdirSync(place.databases), ['live.db-shm', 'live.db-wal'])
    assert.ok(readFileSync(`${path}-wal`).equals(wal))
  })

  it('keeps a file that appears there in the last moment', async () => {
    const { dump } = await dumpOf()
    const ticket = await bench.stage(dump, url)
    const appear = async () => writeFileSync(path, 'mine')
    await rejectsWith('DESTINATION_EXISTS', bench.driver(url).swap(ticket, appear, never))
    assert.equal(readFileSync(path, 'utf8'), 'mine')
  })

  it('is refused if its directory is missing, a link, or outside the roots', async () => {
    const { dump } = await dumpOf()
    await rejectsWith('DATABASE_NOT_FOUND', bench.stage(dump, sqliteUrl(place.path('no/where.db'))))
    await rejectsWith('PATH_NOT_ALLOWED', bench.stage(dump, sqliteUrl(join(place.scratchDir, 'data.db'))))
    assert.deepEqual(readdirSync(place.databases), [])
  })
})

describe('a destination that is no database', () => {
  it.each(['noise', 'a lone byte', 'a database without a sound schema'])(
    'is kept whole with all beside it, and put back: %s',
    async (kind) => {
      const { dump, digest } = await dumpOf()
      if (kind === 'a database without a sound schema') {
        createSampleDatabase(path, { journalMode: 'delete' })
        writeFileSync(path, readFileSync(path).fill(0xff, 100, 4096))
      } else {
        writeFileSync(path, kind === 'noise' ? 'noise'.repeat(1000) : 'x')
      }
      chmodSync(path, 0o640)
      chownSync(path, 1234, 2345)
      writeFileSync(`${path}-wal`, 'a log of something else')
      const old = readFileSync(path)
      const { replaced } = await bench.restore(dump, url)
      assert.ok(replaced)
      assert.equal(databaseDigest(path), digest)
      const { mode, uid, gid, nlink } = statSync(path)
      assert.deepEqual([mode & 0o777, uid, gid, nlink], [0o640, 1234, 2345, 1])
      assert.ok(readFileSync(replaced.location).equals(old))

      await bench.driver(url).undo(replaced.ticket, allow, never)
      assert.ok(readFileSync(path).equals(old))
      assert.equal(readFileSync(`${path}-wal`, 'utf8'), 'a log of something else')
      assert.deepEqual(readdirSync(place.databases), ['live.db', 'live.db-wal'])
    },
  )

  it('is not taken back while others use what was restored', async () => {
    const { dump, digest } = await dumpOf()
    writeFileSync(path, 'noise'.repeat(1000))
    const { replaced } = await bench.restore(dump, url)
    assert.ok(replaced)
    const holder = await holdSqliteLock(path, 'PRAGMA journal_mode = WAL; SELECT count(*) FROM records')
    await rejectsWith('DATABASE_LOCKED', bench.driver(url).undo(replaced.ticket, allow, never))
    await holder.release()
    assert.equal(databaseDigest(path), digest)
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.equal(readFileSync(path, 'utf8').slice(0, 5), 'noise')
  })

  it('is an empty file: connections to it see the restored database', async () => {
    const { dump, digest } = await dumpOf()
    writeFileSync(path, '')
    const report = await bench.driver(url).inspectDestination(never)
    assert.deepEqual([report.exists, report.occupied], [true, false])
    const connection = new Database(path)
    assert.deepEqual(connection.pragma('table_list(records)'), [])
    const { replaced } = await bench.restore(dump, url)
    assert.equal(replaced, null)
    assert.equal(connection.prepare('SELECT count(*) FROM records').pluck().get(), 321)
    connection.close()
    assert.equal(databaseDigest(path), digest)
  })
})

describe('a destination in use', () => {
  it.each(['wal', 'delete'] as const)(
    'keeps its file, owner, mode and journal mode (%s)',
    async (journalMode) => {
      const { dump, digest } = await dumpOf()
      createSampleDatabase(path, { journalMode })
      chmodSync(path, 0o604)
      chownSync(path, 1234, 2345)
      const { ino } = statSync(path)
      const { replaced } = await bench.restore(dump, url)
      assert.ok(replaced)
      const after = statSync(path)
      assert.deepEqual([after.ino, after.mode & 0o777, after.uid, after.gid], [ino, 0o604, 1234, 2345])
      const aside = statSync(replaced.location)
      assert.deepEqual([aside.mode & 0o777, aside.uid, aside.gid], [0o604, 1234, 2345])
      assert.equal(pragma('journal_mode'), journalMode)
      assert.equal(databaseDigest(path), digest)
    },
  )

  it.each(['wal', 'delete'] as const)(
    'shows the new content to open connections at once (%s)',
    async (journalMode) => {
      const { dump } = await dumpOf({ autoVacuum: 'full' })
      createSampleDatabase(path, { journalMode })
      const writer = await startSqliteWriter({ path, role: 'write', perSecond: 0 })
      const reader = await startSqliteWriter({ path, role: 'read', perSecond: 0 })
      // as many as it takes are waited for: the test's patience with a lock is short, theirs is not
      const patient = sqliteDriverFactory({ lockWaitMs: 20_000, openWithinMs: 40_000 })
      try {
        const driver = patient.create(url, place.context)
        const request = await bench.stageRequest(dump)
        const ticket = await driver.stage(request, createReadStream(dump.file), never)
        await driver.swap(ticket, allow, never)
        assert.equal(pragma('user_version'), 99)
        const reports = [await writer.stop(), await reader.stop()]
        assert.deepEqual(
          reports.flatMap((report) => report.errors),
          [],
        )
        const { rowCounts } = (await bench.dump(url)).summary
        assert.equal(rowCounts.records, 321)
        assert.deepEqual(await place.problems(url), [])
      } finally {
        await patient.close()
      }
    },
  )

  it.each(['wal', 'delete'] as const)(
    'is not changed while another process writes to it for long (%s)',
    async (journalMode) => {
      const { dump } = await dumpOf()
      createSampleDatabase(path, { journalMode })
      const digest = databaseDigest(path)
      const ticket = await bench.stage(dump, url)
      const holder = await holdSqliteLock(path, 'BEGIN IMMEDIATE')
      const names = readdirSync(place.databases)
      const error = await rejectsWith('DATABASE_LOCKED', bench.driver(url).swap(ticket, allow, never))
      assert.ok(error.retryable)
      assert.deepEqual(readdirSync(place.databases), names)
      await holder.release()
      assert.equal(databaseDigest(path), digest)
      await bench.driver(url).swap(ticket, allow, never)
      assert.equal(pragma('user_version'), 99)
    },
  )
})
