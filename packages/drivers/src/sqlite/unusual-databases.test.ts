import assert from 'node:assert/strict'
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { endianness } from 'node:os'
import type { SqlitePlace } from '@holdfast/testing'
import { DriverBench, makeSqlitePlace, sqliteUrl } from '@holdfast/testing'
import type { SampleOptions } from '@holdfast/testing/sqlite'
import { createSampleDatabase, databaseDigest } from '@holdfast/testing/sqlite'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory()
let place: SqlitePlace
let bench: DriverBench
const open: Database.Database[] = []

beforeEach(async () => {
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
})
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close()
  await place.remove()
})
afterAll(() => factory.close())

/** An application's connection, open until the test is over. */
function connect(path: string): Database.Database {
  const connection = new Database(path)
  connection.pragma('synchronous = OFF')
  open.push(connection)
  return connection
}

/** Dumps, restores elsewhere, and requires that nothing tells the two apart. */
async function requireFaithfulCopy(path: string, copiedBy: string) {
  const dump = await bench.dump(sqliteUrl(path))
  assert.equal(dump.summary.details.copiedBy, copiedBy)
  const copy = await place.absent()
  await bench.restore(dump, copy)
  const [restored, source] = [await place.digest(copy), databaseDigest(path)]
  assert.equal(restored, source)
  return dump.summary
}

describe('a database of any layout', () => {
  const layouts: readonly SampleOptions[] = [
    ...[512, 1024, 2048, 8192, 16_384, 32_768, 65_536].map((pageSize) => ({ pageSize })),
    { encoding: 'UTF-16le' },
    { encoding: 'UTF-16be', pageSize: 1024 },
    { autoVacuum: 'full' },
    { autoVacuum: 'incremental', pageSize: 512 },
    { journalMode: 'truncate' },
    { journalMode: 'persist' },
    { journalMode: 'delete', pageSize: 65_536 },
  ]

  it.each(layouts)('is copied as it is: %j', async (options) => {
    const path = place.path('layout.db')
    createSampleDatabase(path, { records: 300, ...options })
    // the log holds pages, and newer versions of them, that the file does not
    const connection = connect(path)
    connection.exec('UPDATE accounts SET owner = owner || id; DELETE FROM records WHERE id % 3 = 0')
    const { details } = await requireFaithfulCopy(path, 'direct')
    assert.equal(details.pageSize, options.pageSize ?? 4096)
    assert.equal(details.encoding, options.encoding ?? 'UTF-8')
    assert.equal(details.userVersion, 7)
    assert.equal(details.applicationId, 1_212_960_836)
  })

  it('is copied when it has no table', async () => {
    const path = place.path('empty.db')
    connect(path).exec('PRAGMA journal_mode = WAL; CREATE TABLE gone (x); DROP TABLE gone; VACUUM')
    const { rowCounts } = await requireFaithfulCopy(path, 'direct')
    assert.deepEqual(rowCounts, {})
  })

  it('is copied when it has a single page', async () => {
    const path = place.path('page.db')
    connect(path).exec('PRAGMA user_version = 3')
    const { sizeBytes } = await requireFaithfulCopy(path, 'direct')
    assert.equal(sizeBytes, 4096)
  })

  it('is copied with pages that are free', async () => {
    const path = place.path('free.db')
    createSampleDatabase(path, { records: 5000 })
    connect(path).exec('DELETE FROM records')
    const { details } = await requireFaithfulCopy(path, 'direct')
    assert.ok(Number(details.pageCount) > 250)
  })

  it('is copied when its log is many times its file', async () => {
    const path = place.path('log.db')
    const connection = connect(path)
    connection.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x, y)')
    const insert = connection.prepare('INSERT INTO t VALUES (?, ?)')
    for (let round = 0; round < 30; round += 1) {
      connection.transaction(() => {
        for (let row = 0; row < 200; row += 1) insert.run(round, 'y'.repeat(500))
      })()
      connection.exec(`UPDATE t SET x = x + 1 WHERE x = ${round}; DELETE FROM t WHERE rowid % 7 = 0`)
    }
    assert.ok(statSync(`${path}-wal`).size > 20 * statSync(path).size)
    await requireFaithfulCopy(path, 'direct')
  })

  it('is copied when it has shrunk since its log began', async () => {
    const path = place.path('shrunk.db')
    createSampleDatabase(path, { records: 3000 })
    const connection = connect(path)
    connection.exec('PRAGMA wal_autocheckpoint = 0; DELETE FROM records; VACUUM')
    await requireFaithfulCopy(path, 'direct')
  })

  it.each(['PASSIVE', 'RESTART', 'TRUNCATE'])('is copied after a checkpoint of the kind %s', async (kind) => {
    const path = place.path('checkpoint.db')
    createSampleDatabase(path)
    const connection = connect(path)
    connection.exec('DELETE FROM records WHERE id < 10')
    connection.pragma(`wal_checkpoint(${kind})`)
    await requireFaithfulCopy(path, 'direct')
    connection.exec('DELETE FROM records WHERE id < 20')
    await requireFaithfulCopy(path, 'direct')
  })

  it('is copied when a crash left its log, with and without the index', async () => {
    const path = place.path('crash.db')
    createSampleDatabase(path)
    leaveLog(path)
    const names = await namesOf()
    await bench.dump(sqliteUrl(path))
    assert.deepEqual(await namesOf(), names)
    rmSync(`${path}-shm`)
    const without = await place.traces()
    const { summary } = await bench.dump(sqliteUrl(path))
    assert.equal(summary.rowCounts.late, 1)
    assert.deepEqual(await place.traces(), without)
    await bench.driver(sqliteUrl(path)).inspect(new AbortController().signal)
    assert.deepEqual(await place.traces(), without)
  })

  it('is copied by SQLite itself when its log is of a machine with another byte order', async () => {
    const path = place.path('foreign.db')
    createSampleDatabase(path)
    leaveLog(path)
    writeFileSync(`${path}-wal`, inOtherByteOrder(readFileSync(`${path}-wal`)))
    rmSync(`${path}-shm`)
    const { summary } = await bench.dump(sqliteUrl(path))
    assert.equal(summary.details.copiedBy, 'backup-api')
    assert.equal(summary.rowCounts.late, 1)
  })
})

describe('a file of any name', () => {
  it.each([
    ['with spaces ', ' leading.db', '\ttab\t', 'line\nbreak\n', 'no-break\u00a0', '\ufeffmark.db'],
    ['data.db?mode=memory', 'a#b', '%41', '%2541%', 'file:x?mode=ro', ':memory:', '~'],
    ['-journal', '--help', '$(touch pwned)', '`id`', ';rm -rf .', 'a"b\'c', '\\', '*'],
    ['große Datei.db', '日本語', '🦆', 'e\u0301', '.hidden', '...', `${'x'.repeat(240)}`],
  ])('is found under exactly that name: %j and its like', async (...names) => {
    for (const name of names) {
      const path = place.path(name)
      // made elsewhere, because the library that makes it trims its name
      createSampleDatabase(place.path('plain.db'), { records: 10 })
      renameSync(place.path('plain.db'), path)
      const before = await place.traces()
      const url = sqliteUrl(path)
      assert.equal((await bench.driver(url).inspect(new AbortController().signal)).lockKey, `sqlite:${path}`)
      const dump = await bench.dump(url)
      assert.equal(dump.summary.rowCounts.records, 10, name)
      assert.deepEqual(await place.traces(), before, name)

      const { replaced } = await bench.restore(dump, url)
      assert.ok(replaced, name)
      await bench.driver(url).undo(replaced.ticket, async () => {}, new AbortController().signal)
      assert.deepEqual(
        await namesOf(),
        before.map((trace) => trace.split('\t').slice(0, -1).join('\t')),
        name,
      )
      rmSync(path)
      await bench.restore(dump, url)
      assert.ok(existsSync(path), name)
      rmSync(path)
    }
  })
})

describe('a schema that only its application understands', () => {
  it('keeps every kind of table, and counts their rows', async () => {
    const path = place.path('kinds.db')
    const connection = connect(path)
    connection.exec(
      `
      PRAGMA journal_mode = WAL;
      CREATE TABLE "o""dd na'me" (x); INSERT INTO "o""dd na'me" VALUES (1), (2);
      CREATE TABLE __proto__ (x); INSERT INTO __proto__ VALUES (1);
      CREATE TABLE "SELECT" (x) STRICT, WITHOUT ROWID;
    `.replace('(x) STRICT, WITHOUT ROWID', '(x TEXT PRIMARY KEY) STRICT, WITHOUT ROWID'),
    )
    connection.exec(`
      CREATE TABLE made (a INTEGER, b AS (a * 2) STORED, c AS (a + 1)); INSERT INTO made (a) VALUES (1), (2), (3);
      CREATE VIRTUAL TABLE words USING fts5 (word); INSERT INTO words VALUES ('one'), ('two');
      CREATE VIRTUAL TABLE areas USING rtree (id, x0, x1); INSERT INTO areas VALUES (1, 0, 1);
      CREATE TABLE "日本" (x); INSERT INTO "日本" VALUES (NULL);
    `)
    const { rowCounts, warnings } = await requireFaithfulCopy(path, 'direct')
    const counted = Object.fromEntries(Object.entries(rowCounts))
    assert.equal(Object.getOwnPropertyDescriptor(rowCounts, '__proto__')?.value, 1)
    assert.deepEqual(Object.keys(counted).length, 7)
    assert.deepEqual(
      [
        rowCounts['o"dd na\'me'],
        rowCounts.SELECT,
        rowCounts.made,
        rowCounts.words,
        rowCounts.areas,
        rowCounts.日本,
      ],
      [2, 0, 3, 2, 1, 1],
    )
    assert.deepEqual(warnings, [])
  })

  it('is backed up and restored although modules, functions and collations are missing here', async () => {
    const path = place.path('foreign.db')
    const connection = connect(path)
    connection.function('mine', { deterministic: true }, (value: unknown) => value)
    connection.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE checked (x CHECK (mine(x) IS NOT NULL)); INSERT INTO checked VALUES (1);
      CREATE TABLE indexed (x); CREATE INDEX by_mine ON indexed (mine(x)); INSERT INTO indexed VALUES (1), (2);
      CREATE TABLE sorted (x TEXT); CREATE INDEX by_x ON sorted (x); INSERT INTO sorted VALUES ('a');
    `)
    connection.unsafeMode(true)
    connection.exec(`
      PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
        VALUES ('table', 'modular', 'modular', 0, 'CREATE VIRTUAL TABLE modular USING no_such_module (a)');
      UPDATE sqlite_schema SET sql = 'CREATE TABLE sorted (x TEXT COLLATE no_such_collation)' WHERE name = 'sorted';
    `)
    connection.close()
    const dump = await bench.dump(sqliteUrl(path))
    assert.deepEqual(dump.summary.rowCounts, { checked: 1, indexed: 2, sorted: 1 })
    assert.match(dump.summary.warnings.join(), /modular were not counted/)
    for (const depth of ['structure', 'full'] as const) {
      const report = await bench.check(dump, depth)
      assert.ok(report.valid, report.message)
      assert.match(report.message, /only read through.*sorted/)
    }
    const copy = await place.absent()
    await bench.restore(dump, copy)
    assert.equal(await place.digest(copy), databaseDigest(path))
  })
})

/** Lets a process die that has just written to the log. */
function leaveLog(path: string): void {
  const connection = connect(path)
  connection.exec('CREATE TABLE late (x); INSERT INTO late VALUES (1)')
  const [wal, shm, main] = ['-wal', '-shm', ''].map((suffix) => readFileSync(`${path}${suffix}`))
  connection.close()
  open.pop()
  for (const [suffix, bytes] of [
    ['', main],
    ['-wal', wal],
    ['-shm', shm],
  ] as const) {
    if (bytes !== undefined) writeFileSync(`${path}${suffix}`, bytes)
  }
}

async function namesOf(): Promise<readonly string[]> {
  return (await place.traces()).map((trace) => trace.split('\t').slice(0, -1).join('\t'))
}

/** The same log with its checksums made in the other byte order, which SQLite accepts as well. */
function inOtherByteOrder(wal: Buffer): Buffer {
  const bytes = Buffer.from(wal)
  bytes.writeUInt32BE(endianness() === 'LE' ? 0x377f0683 : 0x377f0682, 0)
  const pageSize = bytes.readUInt32BE(8)
  let [one, two] = [0, 0]
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += 8) {
      const [a, b] =
        endianness() === 'LE'
          ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
          : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
      one = (one + a + two) >>> 0
      two = (two + b + one) >>> 0
    }
  }
  const put = (at: number) => {
    bytes.writeUInt32BE(one, at)
    bytes.writeUInt32BE(two, at + 4)
  }
  add(0, 24)
  put(24)
  for (let at = 32; at + 24 + pageSize <= bytes.length; at += 24 + pageSize) {
    add(at, at + 8)
    add(at + 24, at + 24 + pageSize)
    put(at + 16)
  }
  return bytes
}
