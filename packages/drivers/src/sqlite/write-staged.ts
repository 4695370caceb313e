import { createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { StageRequest } from '@holdfast/core'
import { AppError, cancellation } from '@holdfast/core'

const CHUNK_BYTES = 1024 * 1024

/** Writes a dump durably to a new private file. On any failure nothing is left and the source's own error is thrown. */
export async function writeStaged(
  file: string,
  request: StageRequest,
  source: Readable,
  signal: AbortSignal,
): Promise<void> {
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      request.onProgress(bytes)
      done(null, chunk)
    },
  })
  try {
    const target = createWriteStream(file, {
      flags: 'wx',
      mode: 0o600,
      flush: true,
      highWaterMark: CHUNK_BYTES,
    })
    await pipeline(source, count, target, { signal })
    if (bytes !== request.sizeBytes) {
      throw new AppError('ARTIFACT_CORRUPT', `the backup has ${bytes} bytes instead of ${request.sizeBytes}`)
    }
    await syncDirectory(dirname(file))
  } catch (error) {
    await rm(file, { force: true })
    throw signal.aborted ? cancellation(signal) : explain(error)
  }
}

/** Makes names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function explain(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new AppError(
      'TEMPORARY_SPACE_FULL',
      'no space is left beside the destination for the new database',
      {
        hint: 'the new database is written next to the old one first: free space on its file system',
        cause: error,
      },
    )
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new AppError('DATABASE_ACCESS_DENIED', "the destination's directory may not be written to", {
      cause: error,
    })
  }
  return error
}
