import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable, TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Size of the pieces that flow through the pipeline; Node's 16 to 64 KiB halve its speed. */
export const CHUNK_BYTES = 1024 * 1024

const SMALLEST_CHUNK_BYTES = 16 * 1024

/** {@link CHUNK_BYTES}, or less for what is known to be smaller: one byte more than it holds, to see its end. */
export function chunkBytesFor(sizeBytes: number): number {
  return Math.min(CHUNK_BYTES, Math.max(SMALLEST_CHUNK_BYTES, sizeBytes + 1))
}

/** Size and SHA-256 (hex) of a sequence of bytes. */
export interface Digest {
  readonly sizeBytes: number
  readonly sha256: string
}

/** Passes bytes on unchanged, counting and hashing them. */
export class HashCounter extends Transform {
  readonly #hash = createHash('sha256')
  readonly #limit: { readonly bytes: number; readonly error: () => Error } | null
  #sizeBytes = 0
  #sha256: string | null = null

  /** With a limit, the stream fails with its error rather than pass on more bytes than that. */
  constructor(limit: { readonly bytes: number; readonly error: () => Error } | null = null) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#limit = limit
  }

  /** Bytes seen so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** What passed, once the source has ended. */
  digest(): Digest {
    this.#sha256 ??= this.#hash.digest('hex')
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256 }
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#sizeBytes += chunk.length
    if (this.#limit !== null && this.#sizeBytes > this.#limit.bytes) {
      done(this.#limit.error())
      return
    }
    this.#hash.update(chunk)
    done(null, chunk)
  }
}

/** Reads a stream to its end and returns what it held. */
export async function sha256Of(source: Readable, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  await pipeline(
    source,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk)
        sizeBytes += chunk.length
      }
    },
    { signal },
  )
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** Size and hash of a file's content. */
export function sha256OfFile(file: string, signal: AbortSignal): Promise<Digest> {
  return sha256Of(createReadStream(file, { highWaterMark: CHUNK_BYTES }), signal)
}
