import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Database as Connection } from 'better-sqlite3'
import { CHUNK_BYTES } from './copy-pages.ts'
import { clearWalMark, HEADER_BYTES, readFully } from './database-header.ts'
import { HelperFailure } from './failure.ts'

const PAGES_PER_STEP = 500

/**
 * Copies through SQLite's backup API: for databases that are not laid out as we know. The connection must be pinned,
 * or else every commit of another process would start the copy over.
 */
export async function copyByBackupApi(
  connection: Connection,
  sinkFile: string,
  pageSize: number,
  onProgress: (bytes: number, totalBytes: number) => void,
): Promise<string> {
  // made here, so that its mode is ours
  closeSync(openSync(sinkFile, 'wx', 0o600))
  const { totalPages } = await connection.backup(sinkFile, {
    progress: ({ totalPages: total, remainingPages: remaining }) => {
      onProgress((total - remaining) * pageSize, total * pageSize)
      return PAGES_PER_STEP
    },
  })
  // better-sqlite3 resolves so when the source was locked, having copied nothing
  if (totalPages === 0)
    throw new HelperFailure('DATABASE_LOCKED', 'the database was locked when the copy began')
  return finishCopy(sinkFile)
}

/** Makes a copy that SQLite has written stand alone. Returns the SHA-256 of its bytes. */
export function finishCopy(file: string): string {
  const descriptor = openSync(file, 'r+')
  try {
    const head = Buffer.alloc(HEADER_BYTES)
    readFully(descriptor, head, 0)
    clearWalMark(head)
    writeSync(descriptor, head, 0, head.length, 0)
    return hashOf(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function hashOf(descriptor: number): string {
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(CHUNK_BYTES)
  const { size } = fstatSync(descriptor)
  for (let position = 0; position < size; ) {
    const count = readSync(descriptor, buffer, 0, buffer.length, position)
    if (count === 0) break
    hash.update(buffer.subarray(0, count))
    position += count
  }
  return hash.digest('hex')
}
