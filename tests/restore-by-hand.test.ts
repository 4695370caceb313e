import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Compression, UnsignedManifest } from '@holdfast/core'
import { restoreNotes } from '@holdfast/core'
import { createDriverRegistry } from '@holdfast/drivers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { follow, storeByHand } from '../packages/core/fixtures/by-hand.ts'
import { makeManifest } from '../packages/core/fixtures/manifest.ts'

const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]
const sqlite = createDriverRegistry().byEngine('sqlite')

let base: string
let folder: string
let destination: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-by-hand-'))
  folder = join(base, 'backup')
  destination = join(base, 'a "new" $(touch pwned)\nplace', "it's.db")
  mkdirSync(folder)
  mkdirSync(join(destination, '..'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

describe.each(CODECS)('RESTORE.md of an SQLite database stored as %s', (codec) => {
  it('replaces a database that was not closed, with standard tools alone', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 500)
    makeUncleanDatabase(destination)

    const { status, okLines, blocks } = read(await storeBackup(original, codec))

    expect(status).toBe(0)
    expect(okLines).toBe(blocks)
    expect(rows(destination)).toBe(500)
    expect(readFileSync(destination).equals(readFileSync(original))).toBe(true)
    expect(readdirSync(join(destination, '..')).sort()).toEqual([
      "it's.db",
      "it's.db.replaced",
      "it's.db.replaced-shm",
      "it's.db.replaced-wal",
    ])
    expect(rows(`${destination}.replaced`)).toBe(42)
    expect(existsSync(join(folder, 'pwned')) || existsSync('pwned')).toBe(false)
  })

  it('restores to where nothing was', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 3)
    const { status, okLines, blocks } = read(await storeBackup(original, codec))
    expect(status).toBe(0)
    expect(okLines).toBe(blocks)
    expect(rows(destination)).toBe(3)
  })

  it('stops before anything is replaced when the artifact is damaged', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 100)
    makeDatabase(destination, 7)
    const manifest = await storeBackup(original, codec)
    const artifact = join(folder, manifest.artifacts[0]?.name ?? '')
    const bytes = readFileSync(artifact)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(artifact, bytes)

    expect(read(manifest).okLines).toBe(0)
    expect(read(manifest, 1).okLines).toBe(0)
    expect(rows(destination)).toBe(7)
    expect(existsSync(`${destination}.replaced`)).toBe(false)
  })
})

describe('RESTORE.md of an SQLite database', () => {
  it('never replaces what an earlier restore kept aside', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 3)
    makeDatabase(destination, 7)
    makeDatabase(`${destination}.replaced`, 8)
    const { okLines, blocks } = read(await storeBackup(original, 'zstd'))
    expect(okLines).toBe(blocks - 1)
    expect(rows(destination)).toBe(7)
    expect(rows(`${destination}.replaced`)).toBe(8)
  })
})

/** Follows the notes of a backup, from one of their blocks on. */
function read(manifest: UnsignedManifest, from = 0) {
  const notes = restoreNotes(manifest, (parts) => sqlite.restoreSteps(parts))
  return follow(notes, { folder, tools: base, env: { DESTINATION: destination }, from })
}

async function storeBackup(database: string, codec: Compression): Promise<UnsignedManifest> {
  const source = { file: database, sizeBytes: readFileSync(database).length }
  const artifacts = [await storeByHand(folder, 'data', 'sqlite', source, codec)]
  return makeManifest({ artifacts, compression: codec, mode: codec === 'none' ? 'snapshot' : 'full' })
}

function makeDatabase(file: string, count: number): void {
  const database = new DatabaseSync(file)
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t (v)')
  fill(database, count)
  database.close()
}

/** A database as a killed program leaves it: its rows are in the -wal file only. */
function makeUncleanDatabase(file: string): void {
  const live = `${join(base, 'live.db')}`
  const database = new DatabaseSync(live)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  fill(database, 42)
  for (const suffix of ['', '-wal', '-shm']) copyFileSync(live + suffix, file + suffix)
  database.close()
}

function fill(database: DatabaseSync, count: number): void {
  const insert = database.prepare('INSERT INTO t (v) VALUES (?)')
  for (let number = 0; number < count; number += 1) insert.run(`row ${number} `.repeat(20))
}

function rows(file: string): unknown {
  const database = new DatabaseSync(file)
  try {
    return database.prepare('SELECT count(*) AS count FROM t').get()?.count
  } finally {
    database.close()
  }
}
