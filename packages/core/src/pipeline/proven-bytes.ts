import { createHash } from 'node:crypto'
import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { AppError } from '../errors.ts'
import type { Digest } from './hash.ts'
import { CHUNK_BYTES } from './hash.ts'

/**
 * Passes the bytes of a stored object on as they are. The last piece is held back until size and SHA-256 are known to
 * be the expected ones, else the stream fails with ARTIFACT_CORRUPT: nobody can take damaged bytes for the whole.
 */
export class ProvenBytes extends Transform {
  readonly #expected: Digest
  readonly #hash = createHash('sha256')
  #sizeBytes = 0
  #held: Buffer | null = null

  constructor(expected: Digest) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#expected = expected
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes > this.#expected.sizeBytes) {
      done(this.#corrupt())
      return
    }
    this.#hash.update(chunk)
    const next = this.#held
    this.#held = chunk
    done(null, next)
  }

  override _flush(done: TransformCallback): void {
    const { sizeBytes, sha256 } = this.#expected
    const isWhole = this.#sizeBytes === sizeBytes && this.#hash.digest('hex') === sha256
    if (isWhole) done(null, this.#held)
    else done(this.#corrupt())
  }

  #corrupt(): AppError {
    return new AppError(
      'ARTIFACT_CORRUPT',
      'the stored bytes of an artifact are not the ones that were written',
      {
        hint: 'verify the backup; use another one meanwhile',
      },
    )
  }
}
