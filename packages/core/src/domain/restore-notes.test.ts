import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blocksOf, follow, storeByHand } from '../../fixtures/by-hand.ts'
import { listing, makeTree } from '../../fixtures/directory-tree.ts'
import { makeManifest } from '../../fixtures/manifest.ts'
import { tarDirectories } from '../pipeline/tar-directories.ts'
import type { StoredParts } from '../ports/driver-factory.ts'
import type { UnsignedManifest } from './manifest.ts'
import { restoreNotes } from './restore-notes.ts'
import { shellBlock } from './shell-commands.ts'
import type { Compression } from './target.ts'

const never = new AbortController().signal
const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]
const DUMP = Buffer.from('the dump')

let base: string
let folder: string
let files: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-notes-'))
  folder = join(base, 'backup')
  files = join(base, '-files $(touch pwned)')
  mkdirSync(folder)
})
afterEach(() => {
  spawnSync('chmod', ['-R', 'u+rwX', base])
  rmSync(base, { recursive: true, force: true })
})

/** The steps of an engine that prints its dump. */
const printed = ({ data }: StoredParts) =>
  `## 2. Print\n\n${shellBlock(`${data.command} && echo && echo 'OK'`)}`

describe.each(CODECS)('RESTORE.md of a backup stored as %s', (codec) => {
  it('restores included directories with standard tools alone', async () => {
    const tree = join(base, 'uploads')
    mkdirSync(tree)
    makeTree(tree)
    const manifest = await storeBackup(codec, tree)
    const { status, okLines, blocks } = read(restoreNotes(manifest, printed))
    expect(status).toBe(0)
    expect(okLines).toBe(blocks)
    expect(listing(join(files, 'uploads'))).toEqual(listing(tree))
    expect(existsSync(join(folder, 'pwned')) || existsSync('pwned')).toBe(false)
  })

  it('gives the engine commands that print what is stored', async () => {
    const manifest = await storeBackup(codec)
    const { status, output } = read(restoreNotes(manifest, printed))
    expect(status).toBe(0)
    expect(output).toContain('the dump')
  })

  it('lets no file out of a damaged artifact', async () => {
    const tree = join(base, 'uploads')
    mkdirSync(tree)
    writeFileSync(join(tree, 'a'), 'a'.repeat(10_000))
    const manifest = await storeBackup(codec, tree)
    const artifact = join(folder, manifest.artifacts[1]?.name ?? '')
    const bytes = readFileSync(artifact)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(artifact, bytes)
    const notes = restoreNotes(manifest, () => '## 2. Nothing')
    expect(read(notes)).toMatchObject({ blocks: 2, okLines: 0 })
    expect(existsSync(files)).toBe(false)
  })
})

describe('RESTORE.md', () => {
  it('tells the engine what is known of the dump and of what came with it', async () => {
    const manifest = makeManifest({ engineDetails: { encoding: 'LATIN1' } })
    const settings = { ...manifest.artifacts[0], role: 'settings', name: 'settings-41.sql.gz', codec: 'gzip' }
    const artifacts = [...manifest.artifacts, settings] as UnsignedManifest['artifacts']
    let told: StoredParts | undefined
    restoreNotes({ ...manifest, artifacts }, (parts) => {
      told = parts
      return ''
    })
    const part = { sizeBytes: 8192, sha256: 'a'.repeat(64) }
    expect(told).toEqual({
      ...{ format: 'sqlite', serverVersion: '3.50.4', toolVersion: 'better-sqlite3 13.2.0' },
      details: { encoding: 'LATIN1' },
      data: { ...part, command: 'zstd -d -q -c data-41.sqlite.zst' },
      attachments: {
        settings: { ...part, command: 'gzip -d -c settings-41.sql.gz' },
        contents: null,
        globals: null,
      },
    })
  })

  it('holds no path and no word of a user', () => {
    const include = [{ directory: '/canary', as: 'canary' }]
    const described = makeManifest({ note: 'canary', labels: { canary: 'canary' }, include })
    const text = restoreNotes(described, printed)
    expect(text).not.toContain('canary')
    expect(blocksOf(text)).toHaveLength(3)
  })
})

/** Follows the notes in the backup's folder. */
function read(notes: string) {
  return follow(notes, { folder, tools: base, env: { FILES: files } })
}

async function storeBackup(codec: Compression, tree?: string): Promise<UnsignedManifest> {
  const artifacts = [await storeByHand(folder, 'data', 'dump', DUMP, codec)]
  if (tree !== undefined) {
    const tar = await tarDirectories([tree], { pathRoots: [base], signal: never })
    const artifact = await storeByHand(folder, 'files', 'tar', tar.stream, codec)
    artifacts.push({ ...artifact, fileCount: (await tar.done).fileCount })
  }
  return makeManifest({ artifacts, compression: codec })
}
