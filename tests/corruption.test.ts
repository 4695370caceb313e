import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Artifact, Compression, Storage } from '@holdfast/core'
import {
  artifactName,
  backupPrefix,
  encode,
  hasCode,
  manifestKey,
  parseManifest,
  prove,
  signManifest,
} from '@holdfast/core'
import { openStorage } from '@holdfast/storage'
import type { BitFlip, TemporaryDirectory } from '@holdfast/testing'
import {
  bitFlips,
  makeTemporaryDirectory,
  rejectsWith,
  seededRandom,
  truncations,
  withFlip,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { makeManifest, makeSigner } from '../packages/core/fixtures/manifest.ts'

const SEED = 20_260_301
const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]
const MANIFEST_REFUSALS = ['MANIFEST_INVALID', 'MANIFEST_UNSUPPORTED', 'MANIFEST_UNTRUSTED'] as const
const never = new AbortController().signal

/** A storage of one object, whatever it is asked for: as damaged as the test wants it. */
const holding = (bytes: Uint8Array): Pick<Storage, 'get'> => ({
  get: async () => Readable.from([Buffer.from(bytes)]),
})

interface Stored {
  readonly artifact: Artifact
  readonly bytes: Buffer
}

let directory: TemporaryDirectory
let storage: Storage
const stored = new Map<Compression, readonly [Stored, Stored]>()

beforeAll(async () => {
  directory = await makeTemporaryDirectory('corruption')
  storage = await openStorage(`file://${directory.path}/storage`, { name: 'default', create: true })
  for (const codec of CODECS) stored.set(codec, [await store(codec, 1), await store(codec, 2)])
})
afterAll(() => directory.remove())

describe.each(CODECS)('an artifact stored as %s', (codec) => {
  it('is proven as it was written', async () => {
    for (const { artifact, bytes } of both(codec)) await prove(holding(bytes), 'x', artifact, codec, never)
  })

  it('is refused with any of 700 bits flipped', async () => {
    const [{ artifact, bytes }] = both(codec)
    for (const flip of bitFlips(SEED, bytes.length, 700)) {
      await refused(withFlip(bytes, flip), artifact, `bit ${flip.mask} of byte ${flip.offset}`)
    }
  })

  it('is refused when cut anywhere', async () => {
    const [{ artifact, bytes }] = both(codec)
    const boundaries = [512, 4096, 65_536, 131_072, bytes.length - 8]
    for (const length of truncations(SEED, bytes.length, boundaries)) {
      await refused(bytes.subarray(0, length), artifact, `cut to ${length}`)
    }
  })

  it('is refused with anything behind it', async () => {
    const [{ artifact, bytes }, other] = both(codec)
    for (const more of [Buffer.from([0]), Buffer.from('\n'), randomBytes(4096), other.bytes, bytes]) {
      await refused(Buffer.concat([bytes, more]), artifact, `${more.length} bytes more`)
    }
  })

  it('is refused with a block missing, doubled or moved', async () => {
    const [{ artifact, bytes }] = both(codec)
    const [a, b, c] = [bytes.subarray(0, 4096), bytes.subarray(4096, 8192), bytes.subarray(8192)]
    for (const parts of [
      [a, c],
      [a, b, b, c],
      [b, a, c],
      [a, Buffer.alloc(b.length), c],
    ]) {
      await refused(Buffer.concat(parts), artifact, 'blocks')
    }
  })

  it('is refused in the place of another valid one', async () => {
    const [one, other] = both(codec)
    await refused(other.bytes, one.artifact, 'swapped')
    await refused(one.bytes, other.artifact, 'swapped')
    for (const another of CODECS) {
      if (another !== codec) await refused(both(another)[0].bytes, one.artifact, `stored as ${another}`)
    }
  })

  it('is refused where it was changed in the storage itself', async () => {
    const [{ artifact, bytes }] = both(codec)
    const key = `${backupPrefix('shop', makeManifest().id)}damaged-${codec}`
    for (const flip of bitFlips(SEED, bytes.length, 4)) {
      await storage.replace(key, withFlip(bytes, flip))
      await rejectsWith('ARTIFACT_CORRUPT', prove(storage, key, artifact, codec, never))
    }
    await storage.replace(key, bytes)
    await prove(storage, key, artifact, codec, never)
    await storage.delete(key)
    await rejectsWith('ARTIFACT_CORRUPT', prove(storage, key, artifact, codec, never))
  })
})

describe('a manifest', () => {
  const signer = makeSigner('key-1')
  const bytes = signManifest(makeManifest(), signer)
  const expected = { id: makeManifest().id, target: 'shop' }

  it('is read as it was written, also from a storage', async () => {
    parseManifest(bytes, signer, expected)
    const key = manifestKey(expected.target, expected.id)
    await storage.put(key, Readable.from([bytes]), never)
    parseManifest(await buffer(await storage.get(key, never)), signer, expected)
  })

  it('is refused with any of its bits flipped', () => {
    let refusals = 0
    for (let offset = 0; offset < bytes.length; offset += 1) {
      for (let mask = 1; mask < 256; mask <<= 1) {
        refusedManifest(withFlip(bytes, { offset, mask }), { offset, mask })
        refusals += 1
      }
    }
    assert.ok(refusals > 2000)
  })

  it('is refused when cut anywhere, or with anything behind it', () => {
    for (let length = 0; length < bytes.length; length += 1)
      refusedManifest(bytes.subarray(0, length), { length })
    for (const more of ['\n', ' ', '\0', '{}', Buffer.from(bytes).toString()]) {
      refusedManifest(Buffer.concat([bytes, Buffer.from(more)]), { more })
    }
  })

  it('is refused with any of its lines left out', () => {
    const lines = Buffer.from(bytes).toString().trimEnd().split('\n')
    for (const index of lines.keys()) {
      refusedManifest(Buffer.from(`${lines.toSpliced(index, 1).join('\n')}\n`), { index })
    }
  })

  it('means the same with two of its lines swapped, or is refused', () => {
    const lines = Buffer.from(bytes).toString().split('\n')
    const random = seededRandom(SEED)
    let refusals = 0
    for (const [index, line] of lines.entries()) {
      const other = Math.floor(random() * lines.length)
      const swapped = lines
        .with(index, lines[other] ?? '')
        .with(other, line)
        .join('\n')
      try {
        // the order of fields is not signed, as it says nothing
        assert.deepEqual(parseManifest(Buffer.from(swapped), signer, expected), parseManifest(bytes, signer))
      } catch (error) {
        assert.ok(MANIFEST_REFUSALS.some((code) => hasCode(error, code)))
        refusals += 1
      }
    }
    assert.ok(refusals > lines.length / 2)
  })

  it('is refused in the folder of another backup', () => {
    const id = '0195507a-1c00-7000-8000-ffffffffffff'
    const other = signManifest(makeManifest({ id }), signer)
    refusedManifest(other, { id })
    assert.throws(() => parseManifest(bytes, signer, { ...expected, target: 'shop-2' }))
  })

  function refusedManifest(damaged: Uint8Array, what: BitFlip | object): void {
    try {
      parseManifest(damaged, signer, expected)
    } catch (error) {
      if (MANIFEST_REFUSALS.some((code) => hasCode(error, code))) return
      throw error
    }
    assert.fail(`a manifest was read with ${JSON.stringify(what)}`)
  }
})

async function store(codec: Compression, fence: number): Promise<Stored> {
  const random = seededRandom(fence)
  const rows = Array.from({ length: 4000 }, () => `${Math.floor(random() * 1e9)},customer,${random()}\n`)
  const name = artifactName('data', fence, 'sqlite', codec)
  const key = `${backupPrefix('shop', makeManifest().id)}${name}`
  const { stream, plain } = encode(Readable.from([Buffer.from(rows.join(''))]), codec, { signal: never })
  const put = await storage.put(key, stream, never)
  const digest = await plain
  const bytes = await buffer(await storage.get(key, never))
  const artifact: Artifact = {
    role: 'data',
    name,
    codec,
    cipher: 'none',
    ...digest,
    storedBytes: put.sizeBytes,
    storedSha256: put.sha256,
  }
  return { artifact, bytes }
}

function both(codec: Compression): readonly [Stored, Stored] {
  return stored.get(codec) ?? assert.fail('not stored')
}

async function refused(damaged: Uint8Array, artifact: Artifact, what: string): Promise<void> {
  try {
    await prove(holding(damaged), 'x', artifact, artifact.codec, never)
  } catch (error) {
    assert.ok(hasCode(error, 'ARTIFACT_CORRUPT'), `${what}: ${String(error)}`)
    return
  }
  assert.fail(`an artifact was accepted with ${what}`)
}
