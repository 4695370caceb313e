import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { HEADER_BYTES, parseHeader, readFully } from './database-header.ts'

const MARKER_BYTES = 16

/** B-tree page types whose header takes 12 bytes; that of all others takes 8. */
const INTERIOR_TYPES = [0x02, 0x05]

/**
 * What tells after a crash whether the pages of an operation have come into a database: SQLite's commit is atomic, so
 * that only something inside the pages can say so. The marker lies in the unallocated space of page 1, which has no
 * meaning in the file format and stays as it is until the schema changes.
 */
export function markerOf(operationId: string, purpose: 'swap' | 'undo'): Buffer {
  return createHash('sha256').update(`holdfast ${purpose} ${operationId}`).digest().subarray(0, MARKER_BYTES)
}

/** True if page 1 carries the marker. */
export function hasMarker(page1: Buffer, marker: Buffer): boolean {
  return page1.includes(marker, HEADER_BYTES)
}

/** Writes the marker into page 1 of a database that nobody else has open, durably. False if there is no room. */
export function placeMarker(file: string, marker: Buffer): boolean {
  const descriptor = openSync(file, 'r+')
  try {
    const page1 = readPage1(descriptor)
    if (page1 === null) return false
    if (hasMarker(page1, marker)) return true
    const at = findRoom(page1)
    if (at === null) return false
    writeSync(descriptor, marker, 0, marker.length, at)
    fsyncSync(descriptor)
    return true
  } finally {
    closeSync(descriptor)
  }
}

function readPage1(descriptor: number): Buffer | null {
  const head = Buffer.alloc(HEADER_BYTES)
  if (readFully(descriptor, head, 0) < head.length) return null
  const page = Buffer.alloc(parseHeader(head)?.pageSize ?? 0)
  return page.length > 0 && readSync(descriptor, page, 0, page.length, 0) === page.length ? page : null
}

/** Just below the cells: pointers grow towards it from the other side. Null if the space is too small. */
function findRoom(page1: Buffer): number | null {
  const isInterior = INTERIOR_TYPES.includes(page1.readUInt8(HEADER_BYTES))
  const cells = page1.readUInt16BE(HEADER_BYTES + 3)
  const contentStart = page1.readUInt16BE(HEADER_BYTES + 5) || 65_536
  const gapStart = HEADER_BYTES + (isInterior ? 12 : 8) + 2 * cells
  const middle = gapStart + Math.floor((contentStart - gapStart - MARKER_BYTES) / 2)
  return contentStart <= page1.length && middle >= gapStart ? middle : null
}
