import type { BigIntStats, WriteStream } from 'node:fs'
import { createWriteStream, fstatSync } from 'node:fs'
import { lstat, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DumpDescription, StageRequest } from '@holdfast/core'
import { AppError, cancellation } from '@holdfast/core'

const CHUNK_BYTES = 1024 * 1024

/** A file that was written for a restore, whatever its name leads to by now. */
export type StagedFile = Pick<BigIntStats, 'dev' | 'ino'>

/** Writes a dump durably to a new private file. On any failure nothing is left and the source's own error is thrown. */
export async function writeStaged(
  file: string,
  request: Pick<StageRequest, 'onProgress'> & { readonly dump: Pick<DumpDescription, 'sizeBytes'> },
  source: Readable,
  signal: AbortSignal,
): Promise<StagedFile> {
  const expectedBytes = request.dump.sizeBytes
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      request.onProgress({ bytes })
      if (bytes > expectedBytes) done(wrongSize(bytes, expectedBytes))
      else done(null, chunk)
    },
  })
  const options = { flags: 'wx', mode: 0o600, flush: true, highWaterMark: CHUNK_BYTES } as const
  const target = createWriteStream(file, options)
  const closed = new Promise<void>((resolve) => target.once('close', () => resolve()))
  const opened = identityOnceOpen(target)
  try {
    await Promise.race([pipeline(source, count, target, { signal }), rejectOnAbort(signal)])
    if (bytes !== expectedBytes) throw wrongSize(bytes, expectedBytes)
    await syncDirectory(dirname(file))
    return await opened
  } catch (error) {
    // the file may be opened only now: it is removed when it is closed for good
    target.destroy()
    await closed
    await opened.then((own) => removeStaged(file, own)).catch(() => {})
    throw signal.aborted ? cancellation(signal) : explain(error)
  }
}

/** Removes the file, unless its name leads to another one: whoever has taken over from us has written it anew. */
export async function removeStaged(file: string, own: StagedFile): Promise<void> {
  const found = await lstat(file, { bigint: true }).catch(() => null)
  if (found?.ino === own.ino && found.dev === own.dev) await rm(file, { force: true })
}

/** Rejects if it never is. */
function identityOnceOpen(target: WriteStream): Promise<StagedFile> {
  const identity = new Promise<StagedFile>((resolve, reject) => {
    target.once('open', (descriptor) => resolve(fstatSync(descriptor, { bigint: true })))
    target.once('close', () => reject(new Error('never opened')))
  })
  identity.catch(() => {})
  return identity
}

/** The pipeline itself waits for its source to close, which one that is waiting for something else cannot do. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(cancellation(signal)), { once: true })
  })
}

function wrongSize(bytes: number, expected: number): AppError {
  return new AppError(
    'ARTIFACT_CORRUPT',
    bytes > expected
      ? `the backup has more than its ${expected} bytes`
      : `the backup has ${bytes} bytes instead of ${expected}`,
  )
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
