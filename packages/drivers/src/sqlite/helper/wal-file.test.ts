import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bitFlips, makeTemporaryDirectory, truncations, withFlip } from '@holdfast/testing'
import { createSampleDatabase } from '@holdfast/testing/sqlite'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { WalReading } from './wal-file.ts'
import { readWalPages } from './wal-file.ts'
import { readWalIndexHeader } from './wal-index.ts'

let directory: Awaited<ReturnType<typeof makeTemporaryDirectory>>
let wal: Buffer
let shm: Buffer

beforeAll(async () => {
  directory = await makeTemporaryDirectory('wal')
  const path = join(directory.path, 'data.db')
  createSampleDatabase(path, { records: 50, pageSize: 1024 })
  const connection = new Database(path)
  connection.exec('PRAGMA wal_autocheckpoint = 0; UPDATE accounts SET owner = owner || id')
  connection.exec('DELETE FROM records WHERE id > 40; UPDATE ledger SET transfers = 0')
  wal = readFileSync(`${path}-wal`)
  shm = readFileSync(`${path}-shm`)
  connection.close()
})
afterAll(() => directory.remove())

/** What is read from a log that looks like this, with the index that belongs to the sound one. */
function read(log: Uint8Array): WalReading {
  const files = [join(directory.path, 'wal'), join(directory.path, 'shm')] as const
  writeFileSync(files[0], log)
  writeFileSync(files[1], shm)
  const [walFile, shmFile] = [openSync(files[0], 'r'), openSync(files[1], 'r')]
  try {
    const index = readWalIndexHeader(shmFile)
    assert.ok(index)
    return readWalPages(walFile, index)
  } finally {
    closeSync(walFile)
    closeSync(shmFile)
  }
}

describe('a write-ahead log', () => {
  it('is read up to the last frame of its index, newest versions only, in order of pages', () => {
    const pages = read(wal)
    assert.ok(typeof pages === 'object')
    const numbers = Array.from({ length: pages.count }, (_, position) => pages.pageAt(position))
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((one, other) => one - other),
    )
    const frames = (wal.length - 32) / (24 + 1024)
    assert.ok(pages.count > 3 && pages.count < frames)
    for (let position = 0; position < pages.count; position += 1) {
      const header: number = pages.offsetAt(position) - 24
      assert.equal(wal.readUInt32BE(header), pages.pageAt(position))
      for (let later = header + 24 + 1024; later < wal.length; later += 24 + 1024) {
        assert.notEqual(wal.readUInt32BE(later), pages.pageAt(position))
      }
    }
  })

  it('may be longer than its index says', () => {
    assert.ok(typeof read(Buffer.concat([wal, Buffer.alloc(5000, 1)])) === 'object')
  })

  it('is never believed with a bit flipped', () => {
    for (const flip of bitFlips(1, wal.length, 600)) {
      assert.ok(['reset', 'unusual'].includes(String(read(withFlip(wal, flip)))), JSON.stringify(flip))
    }
  })

  it('is never believed when it is cut', () => {
    for (const length of truncations(2, wal.length)) {
      assert.equal(read(wal.subarray(0, length)), 'reset', String(length))
    }
  })
})

describe('the index of a log', () => {
  it('is not believed while its two copies differ, or in another version', () => {
    const file = join(directory.path, 'index')
    for (const offset of [...Array(48).keys()]) {
      writeFileSync(file, withFlip(shm, { offset, mask: 1 }))
      const descriptor = openSync(file, 'r')
      assert.equal(readWalIndexHeader(descriptor), null, String(offset))
      closeSync(descriptor)
    }
    writeFileSync(file, shm.subarray(0, 100))
    const descriptor = openSync(file, 'r')
    assert.equal(readWalIndexHeader(descriptor), null)
    closeSync(descriptor)
  })
})
