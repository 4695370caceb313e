import { readSync } from 'node:fs'

/** Bytes at the head of every SQLite file. */
export const HEADER_BYTES = 100

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')

/** By the number in the header; 0 stands in a database without a schema. */
const ENCODINGS = ['UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be'] as const

/** The parts of the file header that matter here (https://www.sqlite.org/fileformat2.html, section 1.3). */
export interface DatabaseHeader {
  readonly pageSize: number
  /** Zero if the header does not vouch for its page count (written by a very old version). */
  readonly pageCount: number
  readonly isWal: boolean
  readonly schemaCookie: number
  readonly encoding: string
}

/** Null if the bytes are not the head of an SQLite file. */
export function parseHeader(bytes: Buffer): DatabaseHeader | null {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null
  const stored = bytes.readUInt16BE(16)
  const pageSize = stored === 1 ? 65_536 : stored
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return null
  const isCountValid = bytes.readUInt32BE(24) === bytes.readUInt32BE(92)
  return {
    pageSize,
    pageCount: isCountValid ? bytes.readUInt32BE(28) : 0,
    isWal: bytes.readUInt8(18) === 2 || bytes.readUInt8(19) === 2,
    schemaCookie: bytes.readUInt32BE(40),
    encoding: ENCODINGS[bytes.readUInt32BE(56)] ?? 'unknown',
  }
}

/** The header of an open file; null if it has none. */
export function readHeader(descriptor: number): DatabaseHeader | null {
  const bytes = Buffer.alloc(HEADER_BYTES)
  return readFully(descriptor, bytes, 0) === HEADER_BYTES ? parseHeader(bytes) : null
}

/** Marks page 1 as belonging to a rollback-journal database: a copy stands alone, without a -wal. */
export function clearWalMark(page1: Buffer): void {
  page1.writeUInt8(1, 18)
  page1.writeUInt8(1, 19)
}

/** Fills `buffer` from `position` on. Returns less than its length only at the end of the file. */
export function readFully(descriptor: number, buffer: Buffer, position: number): number {
  let filled = 0
  while (filled < buffer.length) {
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}
