import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Readable, TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, CHUNK_BYTES, cancellation, extractTar, requireScratchSpace } from '@holdfast/core'

/** A dump on its way into a private directory. */
export interface Incoming {
  readonly directory: string
  readonly format: string
  readonly sizeBytes: number
  readonly onBytes: (bytes: number) => void
}

/**
 * Lays a dump down where client programs can read it, one of format `directory` unpacked. Returns its path. Rejects with
 * TEMPORARY_SPACE_FULL beforehand if it cannot fit, with ARTIFACT_CORRUPT for another size, with the failure of
 * `source`, or with the cancellation. What was written then goes with the directory.
 */
export async function receiveDump(
  incoming: Incoming,
  source: Readable,
  signal: AbortSignal,
): Promise<string> {
  await requireScratchSpace(incoming.directory, incoming.sizeBytes)
  const path = join(incoming.directory, 'dump')
  const counted = new SizeCheck(incoming)
  const halves = [
    pipeline(source, counted, { signal }),
    layDown(incoming.format, counted, path, signal),
  ] as const
  const reasons: unknown[] = []
  for (const half of halves) half.catch((reason: unknown) => reasons.push(reason))
  try {
    await Promise.race([Promise.all(halves), rejectOnAbort(signal)])
    return path
  } catch (error) {
    counted.destroy()
    // the first half waits for its source, which may be waiting for something else
    await halves[1].catch(() => {})
    if (signal.aborted) throw cancellation(signal)
    // each half of a pipeline that breaks fails, and only one of them knows why
    throw reasons.find((reason) => reason instanceof AppError) ?? error
  }
}

async function layDown(format: string, source: Readable, path: string, signal: AbortSignal): Promise<void> {
  if (format === 'directory') await extractTar(source, path, { signal })
  else await write(source, path, signal)
}

async function write(source: Readable, path: string, signal: AbortSignal): Promise<void> {
  const target = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: CHUNK_BYTES })
  const closed = new Promise<void>((resolve) => target.once('close', () => resolve()))
  try {
    await pipeline(source, target, { signal })
  } finally {
    target.destroy()
    await closed
  }
}

/** Counts what passes, and fails for more or less than what is expected. */
class SizeCheck extends Transform {
  readonly #incoming: Incoming
  #bytes = 0

  constructor(incoming: Incoming) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#incoming = incoming
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#incoming.sizeBytes) {
      done(this.#wrongSize('more than'))
      return
    }
    this.#incoming.onBytes(this.#bytes)
    done(null, chunk)
  }

  override _flush(done: TransformCallback): void {
    done(this.#bytes === this.#incoming.sizeBytes ? null : this.#wrongSize(`${this.#bytes} instead of`))
  }

  #wrongSize(how: string): AppError {
    return new AppError('ARTIFACT_CORRUPT', `the backup has ${how} its ${this.#incoming.sizeBytes} bytes`)
  }
}

/** A pipeline waits for its source to close, which one that is waiting for something else cannot do. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(cancellation(signal)), { once: true })
  })
}
