import { createHash } from 'node:crypto'
import type { Readable, TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import type { Compression } from '../domain/target.ts'
import { AppError, cancellation } from '../errors.ts'
import { CHUNK_BYTES, HashCounter } from './hash.ts'

/** What the manifest says of an artifact's bytes. */
export interface ExpectedBytes {
  readonly sizeBytes: number
  readonly sha256: string
  readonly storedBytes: number
  readonly storedSha256: string
}

/**
 * The plain bytes of a stored artifact. The stream ends normally only if size and hash of both the stored and the
 * plain bytes are exactly the expected ones and nothing follows the compressed data; else it fails with
 * ARTIFACT_CORRUPT, the failure of `stored`, or the cancellation. Not one byte more than expected comes out, so
 * whoever uses them before the end must be able to throw them away.
 */
export function decode(
  stored: Readable,
  codec: Compression,
  expected: ExpectedBytes,
  { signal }: { readonly signal: AbortSignal },
): Readable {
  const counter = new HashCounter({
    bytes: expected.storedBytes,
    error: () => corrupt(`more than its ${expected.storedBytes} stored bytes are there`),
  })
  const stage = decompressor(codec, expected.sizeBytes)
  const plain = new PlainCheck(expected, counter, stage, signal)
  // whoever reads `plain` learns of every failure; nobody has to listen to the rest
  plain.on('error', () => {})
  pipeline(stage === null ? [stored, counter, plain] : [stored, counter, stage, plain], { signal }).catch(
    () => {},
  )
  return plain
}

const SMALLEST_CHUNK_BYTES = 16 * 1024

type Decompressor = zlib.Gunzip | zlib.ZstdDecompress

/** In process on purpose: for 300 MB the `zstd` program was at most a tenth faster. */
function decompressor(codec: Compression, sizeBytes: number): Decompressor | null {
  if (codec === 'none') return null
  // what comes out is allocated in pieces of this size, the first one at once
  const chunkSize = Math.min(CHUNK_BYTES, Math.max(sizeBytes + 1, SMALLEST_CHUNK_BYTES))
  const sizes = { chunkSize, highWaterMark: CHUNK_BYTES }
  return codec === 'gzip' ? zlib.createGunzip(sizes) : zlib.createZstdDecompress(sizes)
}

/** The last stage: passes on what is expected, and turns whatever is wrong with the bytes into ARTIFACT_CORRUPT. */
class PlainCheck extends Transform {
  readonly #expected: ExpectedBytes
  readonly #stored: HashCounter
  readonly #decompressor: Decompressor | null
  readonly #signal: AbortSignal
  readonly #hash = createHash('sha256')
  #sizeBytes = 0

  constructor(
    expected: ExpectedBytes,
    stored: HashCounter,
    decompressor: Decompressor | null,
    signal: AbortSignal,
  ) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#expected = expected
    this.#stored = stored
    this.#decompressor = decompressor
    this.#signal = signal
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes > this.#expected.sizeBytes) {
      done(corrupt(`more than its ${this.#expected.sizeBytes} bytes come out`))
      return
    }
    this.#hash.update(chunk)
    done(null, chunk)
  }

  override _flush(done: TransformCallback): void {
    const fault = this.#fault()
    done(fault === null ? null : corrupt(fault))
  }

  /** Not in `_destroy`: whoever begins to read after the failure is given what `destroy` was called with. */
  override destroy(error?: Error): this {
    if (!error) return super.destroy()
    return super.destroy(this.#signal.aborted ? cancellation(this.#signal) : asCorrupt(error))
  }

  #fault(): string | null {
    const { sizeBytes, sha256, storedBytes, storedSha256 } = this.#expected
    // a decompressor that meets garbage behind its data ends before its input does
    if (!this.#stored.readableEnded) return 'something follows the compressed data'
    const stored = this.#stored.digest()
    if (stored.sizeBytes !== storedBytes)
      return `${stored.sizeBytes} of its ${storedBytes} stored bytes are there`
    if (stored.sha256 !== storedSha256) return 'the SHA-256 of the stored bytes is another'
    if (this.#sizeBytes !== sizeBytes) return `${this.#sizeBytes} of its ${sizeBytes} bytes came out`
    if (this.#hash.digest('hex') !== sha256) return 'the SHA-256 of the plain bytes is another'
    const consumed = this.#decompressor?.bytesWritten ?? storedBytes
    return consumed === storedBytes ? null : 'something follows the compressed data'
  }
}

function corrupt(what: string, cause?: unknown): AppError {
  return new AppError('ARTIFACT_CORRUPT', `a stored artifact is not what its manifest says: ${what}`, {
    hint: 'use another backup of this target; check the disk or bucket that holds this one',
    cause,
  })
}

/** What decompressors throw says that the bytes are wrong; anything else is no fault of the bytes. */
function asCorrupt(error: Error): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return new AppError('STORAGE_UNAVAILABLE', 'the storage stopped in the middle of an object', {
      cause: error,
    })
  }
  return /^(Z_|ZSTD_)/.test(code) ? corrupt('it cannot be decompressed', error) : error
}
