import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import type { ErrorCode } from '@holdfast/core'
import type { SqlitePlace, TakenDump } from '@holdfast/testing'
import {
  DriverBench,
  holdSqliteLock,
  makeSqlitePlace,
  never,
  rejectsWith,
  requireSqliteRefusal,
  sha256Hex,
  sqliteUrl,
  withFlip,
} from '@holdfast/testing'
import { createSampleDatabase } from '@holdfast/testing/sqlite'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const LOCK_WAIT_MS = 400
const factory = sqliteDriverFactory({ lockWaitMs: LOCK_WAIT_MS })
let place: SqlitePlace
let bench: DriverBench

beforeEach(async () => {
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
})
afterEach(() => place.remove())
afterAll(() => factory.close())

function requireRefusal(path: string, code: ErrorCode, hint?: RegExp): Promise<void> {
  return requireSqliteRefusal(bench, place, path, code, hint)
}

describe('a source that is damaged', () => {
  it.each([4096, 8192, 12_000])('is cut off after %d bytes', (size) => {
    createSampleDatabase(place.path('cut.db'), { journalMode: 'delete' })
    truncateSync(place.path('cut.db'), size)
    return requireRefusal(place.path('cut.db'), 'DATABASE_CORRUPT')
  })

  it('has a head that is not of a database', () => {
    createSampleDatabase(place.path('head.db'), { journalMode: 'delete' })
    writeFileSync(
      place.path('head.db'),
      withFlip(readFileSync(place.path('head.db')), { offset: 7, mask: 1 }),
    )
    return requireRefusal(place.path('head.db'), 'DATABASE_INVALID')
  })

  it('has a schema that cannot be read', () => {
    createSampleDatabase(place.path('schema.db'), { journalMode: 'delete' })
    writeFileSync(place.path('schema.db'), readFileSync(place.path('schema.db')).fill(0xff, 100, 4096))
    return requireRefusal(place.path('schema.db'), 'DATABASE_CORRUPT')
  })

  it('has a bad page, which the check of the copy finds', async () => {
    createSampleDatabase(place.path('page.db'), { journalMode: 'delete' })
    const { pageSize } = (await bench.driver(sqliteUrl(place.path('page.db'))).inspect(never)).details
    const bytes = readFileSync(place.path('page.db'))
    writeFileSync(place.path('page.db'), bytes.fill(0xee, 10 * Number(pageSize), 10 * Number(pageSize) + 200))
    let dump: TakenDump
    try {
      dump = await bench.dump(sqliteUrl(place.path('page.db')))
    } catch (error) {
      // counting rows may meet the page first
      await rejectsWith('DATABASE_CORRUPT', Promise.reject(error))
      return
    }
    const report = await bench.check(dump, 'structure')
    assert.equal(report.valid, false)
  })

  it('has an index that contradicts its table, which only the full check of the copy finds', async () => {
    const path = place.path('index.db')
    createSampleDatabase(path, { journalMode: 'delete' })
    // for a while the index is one of another table, so that it does not keep up with its own
    changeSchema(path, "tbl_name = 'ledger', sql = 'CREATE INDEX records_by_name ON ledger (id)'")
    const forgetful = new Database(path)
    forgetful.exec("UPDATE records SET name = 'unknown to the index' WHERE id = 5")
    forgetful.close()
    changeSchema(path, "tbl_name = 'records', sql = 'CREATE INDEX records_by_name ON records (name)'")
    const dump = await bench.dump(sqliteUrl(path))
    const structure = await bench.check(dump, 'structure')
    assert.ok(structure.valid, structure.message)
    const full = await bench.check(dump, 'full')
    assert.equal(full.valid, false)
  })

  it('has a flipped bit in a row, which no check finds but the hash does', async () => {
    const path = place.path('bit.db')
    createSampleDatabase(path, { journalMode: 'delete' })
    const dump = await bench.dump(sqliteUrl(path))
    const { file, summary } = dump
    const bytes = readFileSync(file)
    const offset = bytes.indexOf('owner 50')
    writeFileSync(file, withFlip(bytes, { offset, mask: 1 }))
    const report = await bench.check(dump, 'full')
    assert.ok(report.valid, report.message)
    assert.notEqual(sha256Hex(readFileSync(file)), summary.sha256)
  })
})

describe('a source that is locked', () => {
  it('by a transaction that lets nobody read', async () => {
    createSampleDatabase(place.path('locked.db'), { journalMode: 'delete' })
    const holder = await holdSqliteLock(place.path('locked.db'), 'BEGIN EXCLUSIVE')
    await requireRefusal(place.path('locked.db'), 'DATABASE_LOCKED')
    await holder.release()
    await bench.dump(sqliteUrl(place.path('locked.db')))
  })

  it('by an application that has the log to itself', async () => {
    createSampleDatabase(place.path('locked.db'))
    const sql = 'PRAGMA locking_mode = EXCLUSIVE; UPDATE ledger SET transfers = 0'
    const holder = await holdSqliteLock(place.path('locked.db'), sql)
    await requireRefusal(place.path('locked.db'), 'DATABASE_LOCKED')
    await holder.release()
  })

  it('is waited for as long as it may take', async () => {
    createSampleDatabase(place.path('locked.db'), { journalMode: 'delete' })
    const holder = await holdSqliteLock(place.path('locked.db'), 'BEGIN EXCLUSIVE')
    setTimeout(() => void holder.release(), LOCK_WAIT_MS / 4)
    await bench.dump(sqliteUrl(place.path('locked.db')))
  })
})

describe('a source that may only be read', () => {
  it('is refused in WAL mode, since its log cannot be shared there', async () => {
    createSampleDatabase(place.path('sealed.db'))
    await readOnly(async () => {
      const error = await rejectsWith(
        'DATABASE_ACCESS_DENIED',
        bench.driver(sqliteUrl(place.path('sealed.db'))).inspect(never),
      )
      assert.match(error.hint ?? '', /-wal and -shm/)
      await requireRefusal(place.path('sealed.db'), 'DATABASE_ACCESS_DENIED')
    })
  })

  it('is dumped in rollback mode', async () => {
    createSampleDatabase(place.path('sealed.db'), { journalMode: 'delete', records: 9 })
    await readOnly(async () => {
      assert.equal((await bench.dump(sqliteUrl(place.path('sealed.db')))).summary.rowCounts.records, 9)
    })
  })
})

/** Runs `work` while the directory of the databases is mounted so that nobody may write to it. */
async function readOnly(work: () => Promise<void>): Promise<void> {
  execFileSync('mount', ['--bind', place.databases, place.databases])
  try {
    execFileSync('mount', ['-o', 'remount,bind,ro', place.databases])
    await work()
  } finally {
    execFileSync('umount', [place.databases])
  }
}

function changeSchema(path: string, assignments: string): void {
  const connection = new Database(path).unsafeMode(true)
  connection.exec('PRAGMA writable_schema = ON')
  connection.exec(`UPDATE sqlite_schema SET ${assignments} WHERE name = 'records_by_name'`)
  connection.close()
}
