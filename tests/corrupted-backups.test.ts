import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createManifestSigner } from '@holdfast/catalog'
import type { BackupBody } from '@holdfast/core'
import { registerTarget, signManifest } from '@holdfast/core'
import type { BitFlip } from '@holdfast/testing'
import { bitFlips, seededRandom, truncations, withFlip } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttackedBackup } from './support/attacked-backup.ts'
import { fillDirectory, makeAttackedBackup, pathOf, requireRefused } from './support/attacked-backup.ts'
import { rewriteDatabase, rowsOf } from './support/databases.ts'
import { sqliteUrl } from './support/system.ts'
import type { Workshop } from './support/workshop.ts'
import { openWorkshop, requireEnd } from './support/workshop.ts'

const SEED = 20_260_731
const FLIPS_PER_OBJECT = 205
/** Longer than the header of any format here: SQLite's has 100 bytes. */
const EDGE_BYTES = 128
const BAD_MANIFEST = ['MANIFEST_INVALID', 'MANIFEST_UNTRUSTED']

const KINDS: Readonly<Record<string, Omit<BackupBody, 'target'>>> = {
  zstd: { compression: 'zstd' },
  gzip: { compression: 'gzip' },
  snapshot: { mode: 'snapshot' },
  plain: { compression: 'none' },
}
const WITH_FILES = ['zstd', 'plain']

let workshop: Workshop
const subjects = new Map<string, AttackedBackup>()
let other: AttackedBackup
let backedUp: unknown[]

beforeAll(async () => {
  workshop = await openWorkshop()
  const { directory, deps } = workshop
  await fillDirectory(join(directory, 'shop'), 'new', 7)
  await registerTarget(deps, { name: 'shop', url: sqliteUrl(join(directory, 'shop', 'app.db')) })
  const levels = ['checksum', 'structure', 'restore', 'checksum'] as const
  for (const [kind, body] of Object.entries(KINDS)) {
    const level = levels[subjects.size] ?? 'restore'
    const hasFiles = WITH_FILES.includes(kind)
    subjects.set(kind, await makeAttackedBackup(workshop, { kind, body, hasFiles, level }))
  }
  backedUp = rowsOf(join(directory, 'shop', 'app.db'))
  rewriteDatabase(join(directory, 'shop', 'app.db'), 'newer')
  const plan = { kind: 'other', hasFiles: false, level: 'structure' } as const
  other = await makeAttackedBackup(workshop, { ...plan, body: { compression: 'zstd' } })
})
afterAll(() => workshop?.close())

describe('a flipped bit', () => {
  const objects = Object.keys(KINDS).flatMap((kind) => [
    [kind, 'data'] as const,
    [kind, 'manifest'] as const,
    ...(WITH_FILES.includes(kind) ? [[kind, 'files'] as const] : []),
  ])

  it.each(objects)(
    'in the %s backup, %s, is refused before the destination is touched',
    async (kind, part) => {
      const subject = subjectOf(kind)
      const path = pathOf(subject, part)
      const bytes = await readFile(path)
      for (const [index, flip] of flipsOf(bytes.length).entries()) {
        await writeFile(path, withFlip(bytes, flip))
        await requireRefused(
          workshop,
          subject,
          part === 'manifest' ? codesOf(bytes, flip) : ['ARTIFACT_CORRUPT'],
          {
            everywhere: index % 10 === 0,
          },
        )
      }
      await writeFile(path, bytes)
    },
  )

  it('was tried at least 2,000 times', () => {
    expect(objects.length * FLIPS_PER_OBJECT).toBeGreaterThanOrEqual(2000)
  })
})

describe('an object of another length', () => {
  it.each(Object.keys(KINDS))('of the %s backup is refused', async (kind) => {
    const subject = subjectOf(kind)
    for (const { role, name } of subject.manifest.artifacts) {
      const path = join(subject.folder, name)
      const bytes = await readFile(path)
      const boundaries = boundariesOf(bytes.length)
      const lengths = truncations(SEED, bytes.length, boundaries)
      for (const [index, length] of lengths.entries()) {
        await writeFile(path, bytes.subarray(0, length))
        await requireRefused(workshop, subject, ['ARTIFACT_CORRUPT'], { everywhere: index % 40 === 0 })
      }
      const tails = [Buffer.from([0]), Buffer.alloc(4096), Buffer.from('\n'), randomBytes(700), bytes]
      for (const tail of tails) {
        await writeFile(path, Buffer.concat([bytes, tail]))
        await requireRefused(workshop, subject, ['ARTIFACT_CORRUPT'], { everywhere: true })
      }
      await writeFile(path, bytes)
      expect(role === 'data' || WITH_FILES.includes(kind)).toBe(true)
    }
  })

  it('that should be a manifest is refused', async () => {
    const subject = subjectOf('gzip')
    const path = pathOf(subject, 'manifest')
    const bytes = await readFile(path)
    const lines = [...bytes.entries()].filter(([, byte]) => byte === 0x0a).map(([index]) => index)
    for (const length of truncations(SEED, bytes.length, lines)) {
      await writeFile(path, bytes.subarray(0, length))
      await requireRefused(workshop, subject, ['MANIFEST_INVALID'])
    }
    for (const tail of ['\n', ' ', '\0', '{}', String(bytes)]) {
      await writeFile(path, Buffer.concat([bytes, Buffer.from(tail)]))
      await requireRefused(workshop, subject, ['MANIFEST_INVALID'], { everywhere: true })
    }
    await writeFile(path, bytes)
  })
})

describe('an object that is not the one that was written', () => {
  it.each([
    'gone',
    'a directory',
    'empty',
    'a link to the very same bytes',
    'the artifact of another backup',
  ])('is refused: an artifact that is %s', async (what) => {
    for (const subject of [subjectOf('zstd'), subjectOf('snapshot')]) {
      for (const { name } of subject.manifest.artifacts) {
        const path = join(subject.folder, name)
        const kept = join(workshop.directory, 'kept')
        await rename(path, kept)
        if (what === 'a directory') await mkdir(path)
        if (what === 'empty') await writeFile(path, '')
        if (what.startsWith('a link')) await symlink(kept, path)
        if (what.startsWith('the artifact')) await copyFile(pathOf(other, 'data'), path)
        const codes = what.startsWith('a link') ? ['STORAGE_UNAVAILABLE'] : ['ARTIFACT_CORRUPT']
        await requireRefused(workshop, subject, codes, { everywhere: true })
        await rm(path, { recursive: true, force: true })
        await rename(kept, path)
      }
    }
  })

  it('is refused: two backups whose artifacts were exchanged, and then their manifests too', async () => {
    const [one, two] = [subjectOf('zstd'), other]
    await exchange(pathOf(one, 'data'), pathOf(two, 'data'))
    for (const subject of [one, two])
      await requireRefused(workshop, subject, ['ARTIFACT_CORRUPT'], { everywhere: true })
    await exchange(pathOf(one, 'manifest'), pathOf(two, 'manifest'))
    for (const subject of [one, two])
      await requireRefused(workshop, subject, ['MANIFEST_INVALID'], { everywhere: true })
    await exchange(pathOf(one, 'data'), pathOf(two, 'data'))
    for (const subject of [one, two])
      await requireRefused(workshop, subject, ['MANIFEST_INVALID'], { everywhere: true })
    await exchange(pathOf(one, 'manifest'), pathOf(two, 'manifest'))
  })

  it.each([
    ['that is gone', 'MANIFEST_MISSING', null],
    ['that is empty', 'MANIFEST_INVALID', ''],
    ['that is no JSON', 'MANIFEST_INVALID', '{"formatVersion": 1, '],
    ['that is no text', 'MANIFEST_INVALID', Buffer.from([0xff, 0xfe, 0x00])],
    ['that is null', 'MANIFEST_INVALID', 'null\n'],
    ['that is an array', 'MANIFEST_INVALID', '[]\n'],
    ['without anything in it', 'MANIFEST_INVALID', '{}\n'],
    ['with a version only', 'MANIFEST_INVALID', '{"formatVersion": 1}\n'],
    ['of a version of the future', 'MANIFEST_UNSUPPORTED', '{"formatVersion": 2, "data": []}\n'],
    ['of a version that is none', 'MANIFEST_INVALID', '{"formatVersion": "1"}\n'],
    ['nested without end', 'MANIFEST_INVALID', '['.repeat(200_000)],
    ['larger than any', 'MANIFEST_INVALID', ' '.repeat(5 * 1024 * 1024)],
  ] as const)('is refused: a manifest %s', async (_what, code, content) => {
    const subject = subjectOf('zstd')
    const path = pathOf(subject, 'manifest')
    const bytes = await readFile(path)
    await rm(path)
    if (content !== null) await writeFile(path, content)
    await requireRefused(workshop, subject, [code], { everywhere: true })
    await writeFile(path, bytes)
  })

  it('is refused: a manifest that says something else, whoever signed it', async () => {
    const subject = subjectOf('zstd')
    const path = pathOf(subject, 'manifest')
    const bytes = await readFile(path)
    const { signature, ...unsigned } = subject.manifest
    const stranger = createManifestSigner([randomBytes(32)])
    const { signer } = workshop.deps
    const another = { ...unsigned, checksum: 'a'.repeat(64) }
    const [data, files] = unsigned.artifacts
    assert.ok(data && files)
    const elsewhere = { ...unsigned, artifacts: [{ ...data, storedSha256: 'b'.repeat(64) }, files] }
    const laidOut = (value: object) => `${JSON.stringify(value, null, 2)}\n`
    const cases = [
      ['MANIFEST_UNTRUSTED', signManifest(unsigned, stranger)],
      ['MANIFEST_UNTRUSTED', laidOut({ ...unsigned, signature: { ...signature, keyId: stranger.keyId } })],
      ['MANIFEST_UNTRUSTED', laidOut({ ...unsigned, recordCount: 1, signature })],
      ['MANIFEST_INVALID', JSON.stringify({ ...unsigned, signature })],
      ['MANIFEST_INVALID', signManifest(another, signer)],
      ['ARTIFACT_CORRUPT', signManifest(elsewhere, signer)],
    ] as const
    for (const [code, manifest] of cases) {
      await writeFile(path, manifest)
      await requireRefused(workshop, subject, [code], { everywhere: true })
    }
    await writeFile(path, bytes)
  })
})

describe('the backups that were attacked', () => {
  it.each(Object.keys(KINDS))('restore as ever once every byte is back: %s', async (kind) => {
    const { restore, destination } = subjectOf(kind)
    const end = requireEnd(await workshop.handlers.restore.run(restore))
    await workshop.deps.catalog.operations.end(restore.held, end)
    expect(end).toMatchObject({ state: 'completed', failure: null })
    expect(rowsOf(join(destination, 'app.db'))).toEqual(backedUp)
    if (!WITH_FILES.includes(kind)) return
    const source = await readFile(join(workshop.directory, 'shop', 'uploads', 'two', 'b.bin'))
    expect(source.equals(await readFile(join(destination, 'uploads', 'two', 'b.bin')))).toBe(true)
  })
})

/** Every bit of the version's digit that makes another digit of it makes another version. */
function codesOf(manifest: Buffer, { offset }: BitFlip): readonly string[] {
  const version = manifest.indexOf('"formatVersion": ') + '"formatVersion": '.length
  return offset === version ? [...BAD_MANIFEST, 'MANIFEST_UNSUPPORTED'] : BAD_MANIFEST
}

function flipsOf(sizeBytes: number): readonly BitFlip[] {
  const random = seededRandom(SEED + sizeBytes)
  const flips: BitFlip[] = []
  for (let offset = 64; offset < EDGE_BYTES; offset += 1) {
    flips.push({ offset, mask: 1 << Math.floor(random() * 8) })
  }
  return [...flips, ...bitFlips(SEED + sizeBytes, sizeBytes, FLIPS_PER_OBJECT - flips.length)]
}

/** Where formats begin something new: pages, tar records, and pieces of the pipeline. */
function boundariesOf(sizeBytes: number): readonly number[] {
  const every = (step: number) =>
    Array.from({ length: Math.floor(sizeBytes / step) }, (_, n) => (n + 1) * step)
  return [...every(4096), ...every(512).slice(0, 8), 10, 18, 100]
}

async function exchange(one: string, two: string): Promise<void> {
  await rename(one, `${one}.tmp`)
  await rename(two, one)
  await rename(`${one}.tmp`, two)
}

function subjectOf(kind: string): AttackedBackup {
  const subject = subjects.get(kind)
  assert.ok(subject, `no backup ${kind}`)
  return subject
}
