import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import type { SqlitePlace } from '@holdfast/testing'
import { allow, DriverBench, makeSqlitePlace, never, sqliteUrl } from '@holdfast/testing'
import { createSampleDatabase, databaseDigest, rowCountsOf } from '@holdfast/testing/sqlite'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { restoreFiles } from './file-names.ts'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory()
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

/** A swap that was staged, and the names of its files. */
async function staged(records = 321) {
  const source = place.path('source.db')
  createSampleDatabase(source, { records, userVersion: 99 })
  const dump = await bench.dump(sqliteUrl(source))
  const digest = databaseDigest(source)
  rmSync(source)
  const operationId = bench.newOperationId()
  const ticket = await bench.stage(dump, url, operationId)
  const files = restoreFiles(path, operationId)
  assert.ok(files)
  return { ticket, digest, files, aside: files.asides[0] }
}

function write(sql: string): void {
  const connection = new Database(path, { fileMustExist: true })
  connection.exec(sql)
  connection.close()
}

for (const journalMode of ['wal', 'delete'] as const) {
  describe(`a swap that was interrupted (${journalMode})`, () => {
    beforeEach(() => createSampleDatabase(path, { journalMode, records: 100 }))

    it('is not done again when its pages had come in, although the staged file was not removed yet', async () => {
      const { ticket, files } = await staged()
      const old = databaseDigest(path)
      // a second name keeps the very file that the swap removes at its end
      linkSync(files.staged, place.path('second-name'))
      const first = await bench.driver(url).swap(ticket, allow, never)
      renameSync(place.path('second-name'), files.staged)
      write("INSERT INTO records (name, content) VALUES ('after the restore', x'00')")

      const again = await bench.driver(url).swap(ticket, allow, never)
      assert.deepEqual(again, first)
      assert.equal(rowCountsOf(path).records, 322)
      assert.equal(existsSync(files.staged), false)
      assert.ok(again.replaced)
      await bench.driver(url).undo(again.replaced.ticket, allow, never)
      assert.equal(databaseDigest(path), old)
    })

    it('keeps what was written to the old database after its copy had been made', async () => {
      const { ticket, digest, aside } = await staged()
      writeCopy(path, aside)
      write("INSERT INTO records (name, content) VALUES ('after the crash', x'00')")
      const old = databaseDigest(path)
      const { replaced, warnings } = await bench.driver(url).swap(ticket, allow, never)
      assert.ok(replaced)
      assert.deepEqual(warnings, [])
      assert.equal(databaseDigest(path), digest)
      await bench.driver(url).undo(replaced.ticket, allow, never)
      assert.equal(databaseDigest(path), old)
    })

    it('keeps both states if the schema was changed meanwhile, and removes both when told to', async () => {
      const { ticket, digest, aside } = await staged()
      const names = readdirSync(place.databases).filter((name) => !name.endsWith('.staged'))
      writeCopy(path, aside)
      const copied = databaseDigest(aside)
      write('CREATE TABLE after_the_crash (x)')
      const { replaced, warnings } = await bench.driver(url).swap(ticket, allow, never)
      assert.ok(replaced)
      assert.match(warnings.join(), /its states are kept in/)
      assert.equal(databaseDigest(path), digest)
      assert.equal(databaseDigest(aside), copied)
      assert.equal(rowCountsOf(`${aside}-2`).after_the_crash, 0)
      await bench.driver(url).removeReplaced(replaced.ticket)
      assert.deepEqual(readdirSync(place.databases), names)
    })

    it('makes its copy anew if the first was not complete', async () => {
      const { ticket, files, digest } = await staged()
      const old = databaseDigest(path)
      writeFileSync(files.asidePart, 'half a copy')
      const { replaced } = await bench.driver(url).swap(ticket, allow, never)
      assert.ok(replaced)
      assert.equal(databaseDigest(path), digest)
      assert.equal(existsSync(files.asidePart), false)
      assert.equal(databaseDigest(replaced.location), old)
    })
  })
}

describe('a swap that was interrupted where no database was', () => {
  it('goes on when the new file has its name already', async () => {
    const { ticket, digest, files } = await staged()
    linkSync(files.staged, path)
    assert.equal((await bench.driver(url).swap(ticket, allow, never)).replaced, null)
    assert.equal(databaseDigest(path), digest)
    assert.equal(statSync(path).nlink, 1)
    assert.deepEqual(readdirSync(place.databases), ['live.db'])
  })

  it('goes on when the old file has its second name and not yet lost its first', async () => {
    writeFileSync(path, 'noise'.repeat(1000))
    const { ticket, digest, aside } = await staged()
    linkSync(path, aside)
    const { replaced } = await bench.driver(url).swap(ticket, allow, never)
    assert.ok(replaced)
    assert.equal(databaseDigest(path), digest)
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.deepEqual(readdirSync(place.databases), ['live.db'])
    assert.equal(statSync(path).nlink, 1)
  })
})

describe('an undo that was interrupted', () => {
  it('is not done again when the old pages had come back, although their copy was not removed yet', async () => {
    createSampleDatabase(path)
    const { ticket } = await staged()
    const { replaced } = await bench.driver(url).swap(ticket, allow, never)
    assert.ok(replaced)
    linkSync(replaced.location, place.path('second-name'))
    await bench.driver(url).undo(replaced.ticket, allow, never)
    renameSync(place.path('second-name'), replaced.location)
    write("INSERT INTO records (name, content) VALUES ('after the undo', x'00')")
    const digest = databaseDigest(path)
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.equal(databaseDigest(path), digest)
    assert.deepEqual(readdirSync(place.databases), ['live.db'])
  })
})

/** What a swap has made by the time it is armed: a copy in rollback mode under the name of an aside. */
function writeCopy(from: string, to: string): void {
  const connection = new Database(from, { fileMustExist: true })
  connection.exec('SELECT count(*) FROM records')
  connection.pragma('wal_checkpoint(TRUNCATE)')
  connection.close()
  copyFileSync(from, to)
}
