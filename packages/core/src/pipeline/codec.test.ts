import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pathWithTools } from '../../fixtures/standard-tools.ts'
import type { Compression } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { PlainSource } from './codec.ts'
import { encode, PROGRAM_FROM_BYTES } from './codec.ts'
import { decode } from './decode.ts'

const MIB = 1024 * 1024
const CODECS = ['zstd', 'gzip', 'none'] as const satisfies readonly Compression[]
const STANDARD_TOOL = { zstd: ['zstd', '-d', '-q', '-c'], gzip: ['gzip', '-d', '-c'], none: ['cat'] } as const
const never = new AbortController().signal

let directory: string
let large: { readonly file: string; readonly sizeBytes: number }

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-codec-'))
  large = { file: join(directory, 'large'), sizeBytes: PROGRAM_FROM_BYTES + 12_345 }
  const block = Buffer.concat([randomBytes(MIB / 4), Buffer.alloc(MIB - MIB / 4, 'row ')])
  const blocks = Array.from({ length: large.sizeBytes / MIB + 1 }, () => block)
  writeFileSync(large.file, Buffer.concat(blocks).subarray(0, large.sizeBytes))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.each(CODECS)('encode as %s', (codec) => {
  it.each([0, 1, 65_537, MIB - 1, MIB, 3 * MIB + 11])(
    'keeps %d bytes, as standard tools read them',
    async (size) => {
      const plain = randomBytes(size).fill('row ', Math.floor(size / 2))
      const { stored, digest } = await encodeAll(Readable.from(inPieces(plain)), codec)
      expect(digest).toEqual({ sizeBytes: size, sha256: sha256(plain) })
      expect((await decodeAll(stored, codec, digest)).equals(plain)).toBe(true)
      const [program, ...args] = STANDARD_TOOL[codec]
      const env = { PATH: pathWithTools(directory) }
      const unpacked = spawnSync(program, args, { input: stored, maxBuffer: 16 * MIB, env })
      expect(unpacked.status).toBe(0)
      expect(unpacked.stdout.equals(plain)).toBe(true)
    },
  )

  it('reads a file', async () => {
    const file = join(directory, `small-${codec}`)
    writeFileSync(file, 'a small file')
    const { stored, digest } = await encodeAll({ file, sizeBytes: 12 }, codec)
    expect(digest).toEqual({ sizeBytes: 12, sha256: sha256(Buffer.from('a small file')) })
    expect(String(await decodeAll(stored, codec, digest))).toBe('a small file')
  })

  it.each([MIB, PROGRAM_FROM_BYTES])(
    'fails on both sides with the error of its source (%d bytes expected)',
    async (expectedBytes) => {
      const failure = new AppError('TARGET_UNREACHABLE', 'the server went away')
      const source = Readable.from(failing(failure))
      const { stream, plain } = encode(source, codec, { expectedBytes, signal: never })
      await expect(buffer(stream)).rejects.toBe(failure)
      await expect(plain).rejects.toBe(failure)
      expect(source.destroyed).toBe(true)
    },
  )

  it.each([MIB, PROGRAM_FROM_BYTES])(
    'ends everything when its reader leaves (%d bytes expected)',
    async (expectedBytes) => {
      const source = Readable.from(endless())
      const { stream, plain } = encode(source, codec, { expectedBytes, signal: never })
      for await (const _ of stream) break
      await expect(plain).rejects.toThrow()
      expect(source.destroyed).toBe(true)
      expect(children()).toEqual([])
    },
  )

  it.each([MIB, PROGRAM_FROM_BYTES])(
    'stops when aborted, with the reason (%d bytes expected)',
    async (expectedBytes) => {
      const controller = new AbortController()
      const source = Readable.from(endless())
      const { stream, plain } = encode(source, codec, { expectedBytes, signal: controller.signal })
      setTimeout(() => controller.abort(), 60)
      await expect(drain(stream)).rejects.toMatchObject({ code: 'CANCELLED' })
      await expect(plain).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(source.destroyed).toBe(true)
      expect(children()).toEqual([])
    },
  )

  it('tells its reason also to whoever begins to read after the failure', async () => {
    const controller = new AbortController()
    const { stream, plain } = encode(Readable.from(endless()), codec, { signal: controller.signal })
    controller.abort()
    await expect(plain).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(drain(stream)).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('fails if a file is not as long as it was', async () => {
    const file = join(directory, `shrinks-${codec}`)
    writeFileSync(file, 'x'.repeat(1000))
    for (const sizeBytes of [999, 1001, PROGRAM_FROM_BYTES]) {
      const { stream, plain } = encode({ file, sizeBytes }, codec, { signal: never })
      await expect(buffer(stream)).rejects.toMatchObject({ code: 'FILES_CHANGED' })
      await expect(plain).rejects.toMatchObject({ code: 'FILES_CHANGED' })
    }
  })

  it('fails if a file is not there', async () => {
    for (const sizeBytes of [10, PROGRAM_FROM_BYTES]) {
      const missing = { file: join(directory, 'missing'), sizeBytes }
      const { stream, plain } = encode(missing, codec, { signal: never })
      await expect(buffer(stream)).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(plain).rejects.toMatchObject({ code: 'ENOENT' })
    }
  })

  it('needs nobody to listen to its failures', async () => {
    encode(Readable.from(failing(new Error('unheard'))), codec, { signal: never })
    encode(Readable.from(['x']), codec, { signal: AbortSignal.abort() })
    const destroyed = Readable.from(['x'])
    destroyed.destroy(new Error('before it began'))
    const { plain } = encode(destroyed, codec, { expectedBytes: PROGRAM_FROM_BYTES, signal: never })
    await expect(plain).rejects.toThrow()
    await delay(20)
  })
})

describe('encode as zstd', () => {
  it('writes one frame, however the bytes arrive', async () => {
    for (let round = 0; round < 150; round += 1) {
      const plain = randomBytes(1 + ((round * 7919) % 300_000))
      const pieces = Array.from({ length: 1 + (round % 7) }, () => plain)
      const { stored, digest } = await encodeAll(Readable.from(pieces), 'zstd')
      // Node's decompressor stops behind the first frame
      expect((await decodeAll(stored, 'zstd', digest)).length).toBe(plain.length * pieces.length)
    }
  })
})

describe('encode as zstd, large', () => {
  it('compresses a file by the program', async () => {
    const { stored, digest } = await encodeAll(large, 'zstd')
    const hash = execFileSync('sha256sum', [large.file], { encoding: 'utf8' }).slice(0, 64)
    expect(digest).toEqual({ sizeBytes: large.sizeBytes, sha256: hash })
    expect(sha256(await decodeAll(stored, 'zstd', digest))).toBe(hash)
    expect(stored.length).toBeLessThan(large.sizeBytes / 2)
  })

  it('compresses a stream by the program', async () => {
    const { stored, digest } = await encodeAll(
      Readable.from(inPieces(Buffer.alloc(3 * MIB, 'row '))),
      'zstd',
      PROGRAM_FROM_BYTES,
    )
    expect(digest.sizeBytes).toBe(3 * MIB)
    expect(sha256(await decodeAll(stored, 'zstd', digest))).toBe(digest.sha256)
  })

  it('leaves no program behind when its reader leaves a large file', async () => {
    const { stream, plain } = encode(large, 'zstd', { signal: never })
    for await (const _ of stream) break
    await expect(plain).rejects.toThrow()
    expect(children()).toEqual([])
  })

  it('believes what it is told of a large stream, and fails with whoever should have told it', async () => {
    const options = { expectedBytes: PROGRAM_FROM_BYTES, signal: never }
    const told = { sizeBytes: 5, sha256: sha256(Buffer.from('plain')) }
    const right = encode(Readable.from(['plain']), 'zstd', { ...options, digest: Promise.resolve(told) })
    const [stored, digest] = await Promise.all([buffer(right.stream), right.plain])
    expect(digest).toEqual(told)
    expect(String(await decodeAll(stored, 'zstd', digest))).toBe('plain')

    const failure = new AppError('TARGET_UNREACHABLE', 'the server went away')
    const wrong = encode(Readable.from(['plain']), 'zstd', { ...options, digest: Promise.reject(failure) })
    await expect(wrong.plain).rejects.toBe(failure)
    await expect(buffer(wrong.stream)).rejects.toBe(failure)
  })

  it('notices a file that is cut while it is read', async () => {
    const file = join(directory, 'cut')
    writeFileSync(file, Buffer.alloc(PROGRAM_FROM_BYTES))
    const { stream, plain } = encode({ file, sizeBytes: PROGRAM_FROM_BYTES }, 'zstd', { signal: never })
    truncateSync(file, 1000)
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'FILES_CHANGED' })
    await expect(plain).rejects.toMatchObject({ code: 'FILES_CHANGED' })
  })
})

async function encodeAll(source: PlainSource, codec: Compression, expectedBytes = 0) {
  const { stream, plain } = encode(source, codec, { expectedBytes, signal: never })
  const [stored, digest] = await Promise.all([buffer(stream), plain])
  return { stored, digest }
}

function decodeAll(stored: Buffer, codec: Compression, digest: { sizeBytes: number; sha256: string }) {
  const expected = { ...digest, storedBytes: stored.length, storedSha256: sha256(stored) }
  return buffer(decode(Readable.from(inPieces(stored)), codec, expected, { signal: never }))
}

async function drain(stream: Readable): Promise<void> {
  for await (const _ of stream);
}

/** Programs that we started and that still run. */
function children(): readonly string[] {
  const stats = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(statOf)
  return stats.filter(
    (stat) => /^[0-9]+ \((zstd|setpriv)\) [^Z]/.test(stat) && stat.split(' ')[3] === String(process.pid),
  )
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}

function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 100_000)
    yield bytes.subarray(offset, offset + 100_000)
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield randomBytes(MIB)
    // as reading from a disk or a network would: timers get their turn
    await nextTurn()
  }
}

async function* failing(failure: Error): AsyncGenerator<Buffer> {
  yield randomBytes(MIB)
  await delay(5)
  throw failure
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
