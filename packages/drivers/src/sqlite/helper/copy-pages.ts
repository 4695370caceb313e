import type { Hash } from 'node:crypto'
import { fstatSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { clearWalMark, readFully } from './database-header.ts'
import type { WalPages } from './wal-file.ts'

/** One state of a database, spread over its file and its log. Both must stand still while it is read. */
export interface PageSource {
  readonly file: number
  readonly wal: number | null
  readonly walPages: WalPages
  readonly pageSize: number
  readonly pageCount: number
}

/** Where the pages go, in order. */
export interface PageSink {
  readonly file: number
  readonly hash: Hash | null
  readonly onProgress: (bytes: number, totalBytes: number) => void
}

/** Small enough to stay in a core's own cache between reading, hashing and writing. */
export const CHUNK_BYTES = 256 * 1024

/** Chunks between two turns of the event loop. */
const CHUNKS_PER_TURN = 32

/** SQLite keeps its locks at this offset and never writes the page that holds it. */
const LOCK_OFFSET = 0x40000000

/**
 * Writes every page in its newest version: from the log if that has one, else from the file. Returns how many pages
 * were in neither (SQLite reads those as zeros, but a sound database has none that matter), or `reset` if the log
 * was cut off meanwhile.
 */
export async function copyPages(source: PageSource, sink: PageSink): Promise<number | 'reset'> {
  const { pageSize, pageCount, walPages } = source
  const fileBytes = fstatSync(source.file).size
  const chunkPages = CHUNK_BYTES / pageSize
  const buffer = Buffer.alloc(CHUNK_BYTES)
  const lockPage = Math.floor(LOCK_OFFSET / pageSize) + 1
  let next = 0
  let missing = 0
  for (let first = 1, chunks = 1; first <= pageCount; first += chunkPages, chunks += 1) {
    const count = Math.min(chunkPages, pageCount - first + 1)
    const chunk = buffer.subarray(0, count * pageSize)
    const filled = readChunk(source.file, chunk, (first - 1) * pageSize, fileBytes)
    const onDisk = filled - (filled % pageSize)
    missing += count - onDisk / pageSize
    if (lockPage >= first + onDisk / pageSize && lockPage < first + count) missing -= 1
    for (; next < walPages.count && walPages.pageAt(next) < first + count; next += 1) {
      const at = (walPages.pageAt(next) - first) * pageSize
      const page = chunk.subarray(at, at + pageSize)
      if (!readWalPage(source.wal, page, walPages.offsetAt(next))) return 'reset'
      if (at >= onDisk) missing -= 1
    }
    if (first === 1) clearWalMark(chunk)
    writeFully(sink.file, chunk)
    sink.hash?.update(chunk)
    sink.onProgress((first - 1 + count) * pageSize, pageCount * pageSize)
    // lets messages out, and a disconnect in
    if (chunks % CHUNKS_PER_TURN === 0) await setImmediate()
  }
  return missing
}

/** Page 1 as a reader of that state sees it. */
export function readPage1({ file, wal, walPages, pageSize }: PageSource): Buffer {
  const page = Buffer.alloc(pageSize)
  const isInLog = walPages.count > 0 && walPages.pageAt(0) === 1
  if (!isInLog || !readWalPage(wal, page, walPages.offsetAt(0))) readFully(file, page, 0)
  return page
}

/** Writes all of a buffer at the descriptor's own position. */
export function writeFully(descriptor: number, buffer: Buffer): void {
  for (let written = 0; written < buffer.length; ) {
    written += writeSync(descriptor, buffer, written, buffer.length - written)
  }
}

/** Returns how many bytes the file had for this chunk; the rest is zeros. */
function readChunk(file: number, chunk: Buffer, position: number, fileBytes: number): number {
  const available = Math.max(0, Math.min(chunk.length, fileBytes - position))
  const filled = available === 0 ? 0 : readFully(file, chunk.subarray(0, available), position)
  chunk.fill(0, filled)
  return filled
}

function readWalPage(wal: number | null, page: Buffer, offset: number): boolean {
  return wal !== null && readFully(wal, page, offset) === page.length
}
