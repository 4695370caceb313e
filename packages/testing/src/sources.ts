import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** Bytes in pieces of an odd size, as they come from a network. */
export function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 100_000)
    yield bytes.subarray(offset, offset + 100_000)
}

/** A text of which the second half waits. */
export async function* inHalves(gate: Promise<void>): AsyncGenerator<Buffer> {
  yield Buffer.from('first half, ')
  await gate
  yield Buffer.from('second half')
}

/** Some megabytes, then a failure. */
export async function* failingHalfWay(failure: Error): AsyncGenerator<Buffer> {
  yield randomBytes(2 * 1024 * 1024)
  await delay(10)
  throw failure
}

/** SHA-256 (hex) of bytes. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
