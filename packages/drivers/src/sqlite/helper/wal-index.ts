import { endianness } from 'node:os'
import { readFully } from './database-header.ts'

/** Layout of the -shm file (https://www.sqlite.org/walformat.html, section 2.1): two copies of a header, then marks. */
const COPY_BYTES = 48
const HEADER_BYTES = 136
const VERSION = 3_007_000

const IS_LITTLE_ENDIAN = endianness() === 'LE'

/** What the -shm file says of the write-ahead log: the state that a reader who starts now would see. */
export interface WalIndexHeader {
  /** All its bytes: equal bytes mean that no commit and no reset came between. */
  readonly bytes: Buffer
  readonly pageSize: number
  /** Number of the last committed frame, from 1; 0 if the log holds none. */
  readonly lastFrame: number
  /** Pages of the database after that frame. */
  readonly pageCount: number
  readonly frameChecksum: readonly [number, number]
  /** As the log's own header has them. */
  readonly salts: Buffer
  /** True if every frame has been copied into the database file, so that a reader may do without the log. */
  readonly isBackfilled: boolean
}

/** Null while a writer is changing it, or if it is not of the form that this machine writes. */
export function readWalIndexHeader(descriptor: number): WalIndexHeader | null {
  const bytes = Buffer.alloc(HEADER_BYTES)
  if (readFully(descriptor, bytes, 0) < HEADER_BYTES) return null
  const first = bytes.subarray(0, COPY_BYTES)
  // writers write the second copy first: equal copies were not caught half-way
  if (!first.equals(bytes.subarray(COPY_BYTES, 2 * COPY_BYTES))) return null
  const word = (offset: number) =>
    IS_LITTLE_ENDIAN ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset)
  if (word(0) !== VERSION || bytes.readUInt8(12) !== 1) return null
  const half = IS_LITTLE_ENDIAN ? bytes.readUInt16LE(14) : bytes.readUInt16BE(14)
  const lastFrame = word(16)
  return {
    bytes: first,
    pageSize: (half & 0xfe00) + ((half & 1) << 16),
    lastFrame,
    pageCount: word(20),
    frameChecksum: [word(24), word(28)],
    salts: bytes.subarray(32, 40),
    isBackfilled: word(2 * COPY_BYTES) === lastFrame,
  }
}
