import { endianness } from 'node:os'
import { readFully } from './database-header.ts'
import type { WalIndexHeader } from './wal-index.ts'

/** Layout of the -wal file (https://www.sqlite.org/fileformat2.html, section 4.1). */
const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const MAGIC_LITTLE = 0x377f0682
const MAGIC_BIG = 0x377f0683
const NATIVE_MAGIC = endianness() === 'LE' ? MAGIC_LITTLE : MAGIC_BIG

const BATCH_BYTES = 1024 * 1024

/** Where the newest version of each page lies in a log, in ascending order of pages. */
export interface WalPages {
  readonly count: number
  /** Number of the page at a position of the list. */
  pageAt(position: number): number
  /** Offset of its content in the -wal file. */
  offsetAt(position: number): number
}

/** `reset`: the log is not the one that the index told of. `unusual`: it cannot be followed; read another way. */
export type WalReading = WalPages | 'reset' | 'unusual'

/** A log without pages: the database file alone is the state. */
export const NO_WAL_PAGES: WalPages = { count: 0, pageAt: () => 0, offsetAt: () => 0 }

/**
 * Follows the log up to the frame that the index named last, proving every frame by salts and the checksum that runs
 * through all of them: at the end it must be the one in the index.
 */
export function readWalPages(descriptor: number, index: WalIndexHeader): WalReading {
  const header = readWalHeader(descriptor)
  if (header === null || !header.subarray(16, 24).equals(index.salts)) return 'reset'
  if (header.readUInt32BE(0) !== NATIVE_MAGIC || readPageSize(header) !== index.pageSize) return 'unusual'
  const sum = new RunningChecksum()
  sum.add(words(header), 0, 6)
  if (sum.first !== header.readUInt32BE(24) || sum.second !== header.readUInt32BE(28)) return 'unusual'
  const latest = new LatestFrames(index)
  const frameBytes = FRAME_HEADER_BYTES + index.pageSize
  const batchFrames = Math.max(1, Math.floor(BATCH_BYTES / frameBytes))
  const batch = Buffer.alloc(batchFrames * frameBytes)
  for (let frame = 1; frame <= index.lastFrame; frame += batchFrames) {
    const frames = Math.min(batchFrames, index.lastFrame - frame + 1)
    const part = batch.subarray(0, frames * frameBytes)
    if (readFully(descriptor, part, HEADER_BYTES + (frame - 1) * frameBytes) < part.length) return 'reset'
    const values = words(part)
    for (let at = 0; at < part.length; at += frameBytes) {
      if (!addFrame(part, values, at, index, sum)) {
        return isStillThere(descriptor, index) ? 'unusual' : 'reset'
      }
      latest.add(part.readUInt32BE(at))
    }
  }
  const [first, second] = index.frameChecksum
  if (sum.first === first && sum.second === second) return latest.sorted()
  return isStillThere(descriptor, index) ? 'unusual' : 'reset'
}

/** False if the log has been started over since the index was read. */
export function isStillThere(descriptor: number, index: WalIndexHeader): boolean {
  return readWalHeader(descriptor)?.subarray(16, 24).equals(index.salts) ?? false
}

function readWalHeader(descriptor: number): Buffer | null {
  const header = Buffer.alloc(HEADER_BYTES)
  return readFully(descriptor, header, 0) === HEADER_BYTES ? header : null
}

function readPageSize(header: Buffer): number {
  return header.readUInt32BE(8)
}

/** False if the frame at this offset is not the next one of this log. */
function addFrame(
  part: Buffer,
  values: Uint32Array,
  at: number,
  index: WalIndexHeader,
  sum: RunningChecksum,
): boolean {
  if (!part.subarray(at + 8, at + 16).equals(index.salts)) return false
  const from = at / 4
  sum.add(values, from, from + 2)
  sum.add(values, from + FRAME_HEADER_BYTES / 4, from + (FRAME_HEADER_BYTES + index.pageSize) / 4)
  return sum.first === part.readUInt32BE(at + 16) && sum.second === part.readUInt32BE(at + 20)
}

function words(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, Math.floor(buffer.length / 4))
}

/** The checksum of a log, in the machine's own byte order. */
class RunningChecksum {
  first = 0
  second = 0

  add(values: Uint32Array, from: number, to: number): void {
    let first = this.first
    let second = this.second
    for (let at = from; at < to; at += 2) {
      first = (first + (values[at] ?? 0) + second) | 0
      second = (second + (values[at + 1] ?? 0) + first) | 0
    }
    this.first = first >>> 0
    this.second = second >>> 0
  }
}

/**
 * Page and frame of every frame in one number each, so that sorting brings the newest frame of each page last:
 * 8 bytes a frame, whatever the size of log and database.
 */
class LatestFrames {
  readonly #keys: Float64Array
  readonly #factor: number
  readonly #index: WalIndexHeader
  #count = 0
  #lastPage = 0

  constructor(index: WalIndexHeader) {
    this.#index = index
    this.#keys = new Float64Array(index.lastFrame)
    this.#factor = index.lastFrame + 1
  }

  add(page: number): void {
    this.#count += 1
    this.#lastPage = Math.max(this.#lastPage, page)
    this.#keys[this.#count - 1] = page * this.#factor + this.#count
  }

  sorted(): WalReading {
    const { pageSize, pageCount } = this.#index
    const factor = this.#factor
    // beyond this a double cannot tell neighbours apart: such a log is read another way
    if ((this.#lastPage + 1) * factor > Number.MAX_SAFE_INTEGER) return 'unusual'
    const keys = this.#keys.subarray(0, this.#count).sort()
    let count = 0
    for (let at = 0; at < keys.length; at += 1) {
      const key = keys[at] ?? 0
      const page = Math.floor(key / factor)
      const isNewest = Math.floor((keys[at + 1] ?? Number.POSITIVE_INFINITY) / factor) !== page
      if (!isNewest || page > pageCount) continue
      keys[count] = key
      count += 1
    }
    return {
      count,
      pageAt: (position) => Math.floor((keys[position] ?? 0) / factor),
      offsetAt: (position) =>
        HEADER_BYTES +
        (((keys[position] ?? 0) % factor) - 1) * (FRAME_HEADER_BYTES + pageSize) +
        FRAME_HEADER_BYTES,
    }
  }
}
