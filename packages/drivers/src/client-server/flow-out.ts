import type { Readable, Transform, TransformCallback, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Digest } from '@holdfast/core'
import { cancellation, HashCounter, hasCode } from '@holdfast/core'

/** At most so often progress is told. */
const TELL_EVERY_MS = 200

/** Looks at a dump as it passes, and knows in the end whether that was all of it. */
interface EndMarker extends Transform {
  /** Rejects with TOOL_FAILED if what passed is not a whole dump. */
  confirm(): Promise<void>
}

/** How a dump leaves. */
export interface Outflow {
  readonly sink: Writable
  /** Null for what was known to be whole before. */
  readonly marker: EndMarker | null
  readonly onBytes: (bytes: number) => void
  /** Rejects if whatever makes the bytes has failed. */
  readonly made: Promise<unknown>
}

/**
 * Lets bytes flow into the sink, which is ended only when all of them are there and known to be a whole dump. If
 * anything fails the sink is destroyed.
 */
export async function flowOut(
  source: Readable | AsyncIterable<Buffer>,
  { sink, marker, onBytes, made }: Outflow,
  signal: AbortSignal,
): Promise<Digest> {
  const counter = new TellingCounter(onBytes)
  try {
    const options = { end: false, signal }
    await (marker === null
      ? pipeline(source, counter, sink, options)
      : pipeline(source, counter, marker, sink, options))
    await made
    await marker?.confirm()
    sink.end()
    await finished(sink, { readable: false, signal })
    const digest = counter.digest()
    onBytes(digest.sizeBytes)
    return digest
  } catch (error) {
    // whoever reads the sink may hear of it before anybody else
    const failure = signal.aborted ? cancellation(signal) : await reasonOf(error, made)
    sink.destroy(failure instanceof Error ? failure : new Error('the dump failed', { cause: failure }))
    throw failure
  }
}

/** A program that failed gives up its output, too: what it makes of that says more. */
async function reasonOf(error: unknown, made: Promise<unknown>): Promise<unknown> {
  if (!hasCode(error, 'TOOL_FAILED')) return error
  return await made.then(
    () => error,
    (failure: unknown) => failure,
  )
}

class TellingCounter extends HashCounter {
  readonly #onBytes: (bytes: number) => void
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(onBytes: (bytes: number) => void) {
    super()
    this.#onBytes = onBytes
  }

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    super._transform(chunk, encoding, done)
    const now = performance.now()
    if (now - this.#toldAt < TELL_EVERY_MS) return
    this.#toldAt = now
    this.#onBytes(this.sizeBytes)
  }
}
