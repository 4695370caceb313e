import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Compression } from '../domain/target.ts'
import { AppError, cancellation, hasCode } from '../errors.ts'
import type { Storage } from '../ports/storage.ts'
import type { ExpectedBytes } from './decode.ts'
import { decode } from './decode.ts'

/**
 * Reads a stored artifact back in full and decompresses it. Resolves only if every byte is the expected one; rejects
 * with ARTIFACT_CORRUPT (also if the object is gone), the failure of the storage, or the cancellation.
 */
export async function prove(
  storage: Pick<Storage, 'get'>,
  key: string,
  expected: ExpectedBytes,
  codec: Compression,
  signal: AbortSignal,
): Promise<void> {
  try {
    const stored = await storage.get(key, signal)
    const discard = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => done() })
    await pipeline(decode(stored, codec, expected, { signal }), discard, { signal })
  } catch (error) {
    if (signal.aborted) throw cancellation(signal)
    if (!hasCode(error, 'OBJECT_NOT_FOUND')) throw error
    throw new AppError('ARTIFACT_CORRUPT', 'a stored artifact is missing', {
      cause: error,
      hint: 'use another backup of this target',
    })
  }
}
