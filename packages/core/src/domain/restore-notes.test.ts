import { spawnSync } from 'node:child_process'
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
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listing, makeTree } from '../../fixtures/directory-tree.ts'
import { makeManifest } from '../../fixtures/manifest.ts'
import { pathWithTools } from '../../fixtures/standard-tools.ts'
import type { PlainSource } from '../pipeline/codec.ts'
import { encode } from '../pipeline/codec.ts'
import { sha256Of } from '../pipeline/hash.ts'
import { tarDirectories } from '../pipeline/tar-directories.ts'
import type { Artifact, UnsignedManifest } from './manifest.ts'
import { artifactName } from './object-keys.ts'
import { restoreNotes } from './restore-notes.ts'
import type { Compression } from './target.ts'

const never = new AbortController().signal
const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]

let base: string
let folder: string
let destination: string
let files: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-notes-'))
  folder = join(base, 'backup')
  destination = join(base, 'a "new" $(touch pwned)\nplace', "it's.db")
  files = join(base, '-files $(touch pwned)')
  mkdirSync(folder)
  mkdirSync(join(destination, '..'))
})
afterEach(() => {
  spawnSync('chmod', ['-R', 'u+rwX', base])
  rmSync(base, { recursive: true, force: true })
})

describe.each(CODECS)('RESTORE.md of a backup stored as %s', (codec) => {
  it('restores database and files with standard tools alone', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 500)
    const tree = join(base, 'uploads')
    mkdirSync(tree)
    makeTree(tree)
    makeUncleanDatabase(destination)

    const manifest = await storeBackup(original, codec, tree)
    const { status, okLines, blocks } = follow(restoreNotes(manifest))

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
    expect(listing(join(files, 'uploads'))).toEqual(listing(tree))
    expect(existsSync(join(folder, 'pwned')) || existsSync('pwned')).toBe(false)
  })

  it('restores to where nothing was', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 3)
    const { status, okLines, blocks } = follow(restoreNotes(await storeBackup(original, codec)))
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

    const everyBlock = follow(restoreNotes(manifest))
    expect(everyBlock.okLines).toBe(0)
    const withoutFirst = follow(restoreNotes(manifest), 1)
    expect(withoutFirst.okLines).toBe(0)
    expect(rows(destination)).toBe(7)
    expect(existsSync(`${destination}.replaced`)).toBe(false)
  })
})

describe('RESTORE.md', () => {
  it('never replaces what an earlier restore kept aside', async () => {
    const original = join(base, 'original.db')
    makeDatabase(original, 3)
    makeDatabase(destination, 7)
    makeDatabase(`${destination}.replaced`, 8)
    const { okLines, blocks } = follow(restoreNotes(await storeBackup(original, 'zstd')))
    expect(okLines).toBe(blocks - 1)
    expect(rows(destination)).toBe(7)
    expect(rows(`${destination}.replaced`)).toBe(8)
  })

  it('unpacks a dump of another engine and leaves loading it to the tools of that engine', async () => {
    writeFileSync(join(base, 'dump'), 'the dump')
    const manifest = await storeBackup(join(base, 'dump'), 'zstd')
    const { status, okLines } = follow(restoreNotes({ ...manifest, format: 'dump' }))
    expect(status).toBe(0)
    expect(okLines).toBe(2)
    expect(readFileSync(destination, 'utf8')).toBe('the dump')
  })

  it('holds no path and no word of a user', () => {
    const text = restoreNotes(
      makeManifest({
        note: 'canary',
        labels: { canary: 'canary' },
        include: [{ directory: '/canary', as: 'canary' }],
      }),
    )
    expect(text).not.toContain('canary')
  })
})

/** Runs the shell blocks of the notes, from one on, in one shell in the backup's folder. */
function follow(notes: string, from = 0): { status: number | null; okLines: number; blocks: number } {
  const blocks = [...notes.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const env = { PATH: pathWithTools(base), DESTINATION: destination, FILES: files, LC_ALL: 'C' }
  const shell = spawnSync('bash', ['-c', blocks.slice(from).join('\n')], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  const okLines = shell.stdout.split('\n').filter((line) => line.startsWith('OK')).length
  return { status: shell.status, okLines, blocks: blocks.length - from }
}

async function storeBackup(database: string, codec: Compression, tree?: string): Promise<UnsignedManifest> {
  const sizeBytes = readFileSync(database).length
  const artifacts = [await store('data', 'sqlite', { file: database, sizeBytes }, codec)]
  if (tree !== undefined) {
    const tar = await tarDirectories([tree], { pathRoots: [base], signal: never })
    artifacts.push({
      ...(await store('files', 'tar', tar.stream, codec)),
      fileCount: (await tar.done).fileCount,
    })
  }
  return makeManifest({ artifacts, compression: codec, mode: codec === 'none' ? 'snapshot' : 'full' })
}

async function store(
  role: 'data' | 'files',
  format: string,
  source: PlainSource,
  codec: Compression,
): Promise<Artifact> {
  const { stream, plain } = encode(source, codec, { signal: never })
  const [bytes, { sizeBytes, sha256 }] = await Promise.all([buffer(stream), plain])
  const name = artifactName(role, 41, format, codec)
  writeFileSync(join(folder, name), bytes)
  const stored = await sha256Of(Readable.from([bytes]), never)
  return {
    role,
    name,
    codec,
    cipher: 'none',
    sizeBytes,
    sha256,
    storedBytes: stored.sizeBytes,
    storedSha256: stored.sha256,
  }
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
