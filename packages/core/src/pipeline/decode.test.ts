import { createHash, randomBytes } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Compression } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { ExpectedBytes } from './decode.ts'
import { decode } from './decode.ts'
import { HashCounter, sha256Of } from './hash.ts'
import { prove } from './prove.ts'

const MIB = 1024 * 1024
const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]
const never = new AbortController().signal
const PLAIN = Buffer.concat([randomBytes(200_000), Buffer.alloc(300_000, 'row ')])

describe.each(CODECS)('decode of %s', (codec) => {
  const stored = compress(codec, PLAIN)
  const expected = expectedOf(PLAIN, stored)

  it.each(['storedBytes', 'sizeBytes'] as const)('refuses when %s is another', async (field) => {
    for (const wrong of [0, expected[field] - 1, expected[field] + 1, 2 ** 40]) {
      await expect(decoded([stored], codec, { ...expected, [field]: wrong })).rejects.toMatchObject({
        code: 'ARTIFACT_CORRUPT',
      })
    }
  })

  it.each(['storedSha256', 'sha256'] as const)('refuses when %s is another', async (field) => {
    const wrong = { ...expected, [field]: sha256(Buffer.from('other')) }
    await expect(decoded([stored], codec, wrong)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
  })

  it('refuses what follows the compressed data, even if the manifest knew of it', async () => {
    for (const garbage of [Buffer.from([0]), randomBytes(13), randomBytes(3 * MIB), stored]) {
      const longer = Buffer.concat([stored, garbage])
      await expect(decoded([longer], codec, expected)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
      for (const pieces of [[longer], [stored, garbage]]) {
        const known = expectedOf(PLAIN, longer)
        await expect(decoded(pieces, codec, known)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
      }
    }
  })

  it('says what is wrong also to whoever begins to read after the failure', async () => {
    const damaged = Buffer.from(stored)
    damaged.fill(0xff, damaged.length >> 1)
    const plain = decode(Readable.from([damaged]), codec, expected, { signal: never })
    await delay(50)
    const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
    await expect(pipeline(plain, discard)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
  })

  it('refuses nothing at all', async () => {
    await expect(decoded([], codec, expected)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
  })

  it('lets out no more than expected, however much is packed', async () => {
    const bomb = compress(codec, Buffer.alloc(64 * MIB))
    let out = 0
    const reading = pipeline(
      decode(
        Readable.from([bomb]),
        codec,
        { ...expectedOf(PLAIN, bomb), sizeBytes: 3 * MIB },
        { signal: never },
      ),
      new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          out += chunk.length
          done()
        },
      }),
    )
    await expect(reading).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
    expect(out).toBeLessThanOrEqual(3 * MIB)
  })

  it('passes on the failure of the storage', async () => {
    const failure = new AppError('STORAGE_UNAVAILABLE', 'the disk is gone')
    const source = Readable.from(failing(stored, failure))
    await expect(buffer(decode(source, codec, expected, { signal: never }))).rejects.toBe(failure)
    expect(source.destroyed).toBe(true)
  })

  it('does not call it damage when the storage stops in the middle', async () => {
    const source = new Readable({ read: () => {} })
    source.push(stored.subarray(0, 1000))
    setTimeout(() => source.destroy(), 10)
    await expect(buffer(decode(source, codec, expected, { signal: never }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  it('stops when aborted, though the storage is silent', async () => {
    const controller = new AbortController()
    const source = new Readable({ read: () => {} })
    source.push(stored.subarray(0, 1000))
    setTimeout(() => controller.abort(), 10)
    await expect(
      buffer(decode(source, codec, expected, { signal: controller.signal })),
    ).rejects.toMatchObject({
      code: 'CANCELLED',
    })
    expect(source.destroyed).toBe(true)
  })

  it('leaves the storage when its reader does', async () => {
    const source = Readable.from(failing(stored, new Error('unheard')))
    const plain = decode(source, codec, expected, { signal: never })
    plain.destroy()
    await delay(30)
    expect(source.destroyed).toBe(true)
  })

  it('needs nobody to listen to its failures', async () => {
    decode(Readable.from(failing(stored, new Error('unheard'))), codec, expected, { signal: never })
    decode(Readable.from(['garbage']), codec, expected, { signal: never }).resume()
    await delay(30)
  })

  it('proves a stored object, and calls a missing one damaged', async () => {
    const storage = { get: async (): Promise<Readable> => Readable.from([stored]) }
    await prove(storage, 'shop/one/data', expected, codec, never)
    const wrong = { ...expected, sha256: sha256(Buffer.from('other')) }
    await expect(prove(storage, 'k', wrong, codec, never)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
    const aborted = prove(storage, 'k', expected, codec, AbortSignal.abort())
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' })
    const empty = { get: () => Promise.reject(new AppError('OBJECT_NOT_FOUND', 'no such object')) }
    await expect(prove(empty, 'k', expected, codec, never)).rejects.toMatchObject({
      code: 'ARTIFACT_CORRUPT',
    })
    const broken = { get: () => Promise.reject(new AppError('STORAGE_UNAVAILABLE', 'gone')) }
    await expect(prove(broken, 'k', expected, codec, never)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })
})

describe('hashing', () => {
  it('counts and hashes what it reads', async () => {
    expect(await sha256Of(Readable.from([PLAIN]), never)).toEqual({
      sizeBytes: PLAIN.length,
      sha256: sha256(PLAIN),
    })
  })

  it('counts and hashes what passes', async () => {
    const counter = new HashCounter()
    expect((await buffer(Readable.from([PLAIN]).pipe(counter))).equals(PLAIN)).toBe(true)
    expect(counter.digest()).toEqual({ sizeBytes: PLAIN.length, sha256: sha256(PLAIN) })
    expect(counter.digest()).toEqual(counter.digest())
  })
})

function decoded(pieces: readonly Buffer[], codec: Compression, expected: ExpectedBytes): Promise<Buffer> {
  return buffer(decode(Readable.from(pieces), codec, expected, { signal: never }))
}

function compress(codec: Compression, plain: Buffer): Buffer {
  if (codec === 'none') return plain
  return codec === 'gzip' ? zlib.gzipSync(plain) : zlib.zstdCompressSync(plain)
}

function expectedOf(plain: Buffer, stored: Buffer): ExpectedBytes {
  return {
    sizeBytes: plain.length,
    sha256: sha256(plain),
    storedBytes: stored.length,
    storedSha256: sha256(stored),
  }
}

async function* failing(bytes: Buffer, failure: Error): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 1000)
  await delay(5)
  throw failure
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
