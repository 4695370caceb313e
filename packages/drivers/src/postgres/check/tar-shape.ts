import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { throwIfAborted } from '@holdfast/core'

const BLOCK = 512
const CHECKSUM = { at: 148, length: 8 } as const
const SIZE = { at: 124, length: 12 } as const
const EMPTY = Buffer.alloc(BLOCK)

/**
 * What is wrong with the entries of a tar, in words; null if nothing is. It is looked at before pg_restore does: with
 * an entry that is cut short that program never comes to an end, and a missing end it does not notice.
 */
export async function findBrokenTar(file: string, signal: AbortSignal): Promise<string | null> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    let position = 0
    while (position + BLOCK <= size) {
      throwIfAborted(signal)
      const header = await readBlock(handle, position)
      if (header.equals(EMPTY)) return await findWrongEnd(handle, position, size)
      const contentBytes = sizeIn(header)
      if (contentBytes === null) return `what lies at byte ${position} is no entry of an archive`
      position += BLOCK + Math.ceil(contentBytes / BLOCK) * BLOCK
    }
    return 'it ends in the middle of an entry: it was cut short'
  } finally {
    await handle.close()
  }
}

/** Two empty blocks end a tar; more of them may fill it up. */
async function findWrongEnd(handle: FileHandle, position: number, size: number): Promise<string | null> {
  if (size - position < 2 * BLOCK) return 'its last blocks are missing: it was cut short'
  for (let at = position; at < size; at += BLOCK) {
    if (!(await readBlock(handle, at)).equals(EMPTY)) return 'something follows its end'
  }
  return null
}

async function readBlock(handle: FileHandle, position: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(BLOCK), 0, BLOCK, position)
  return buffer.subarray(0, bytesRead)
}

/** The size of an entry's content; null if the header's own checksum is not right. */
function sizeIn(header: Buffer): number | null {
  let sum = 0
  for (const [at, byte] of header.entries()) {
    const isChecksum = at >= CHECKSUM.at && at < CHECKSUM.at + CHECKSUM.length
    // while it is computed its own place counts as spaces
    sum += isChecksum ? 0x20 : byte
  }
  if (octalIn(header, CHECKSUM) !== sum) return null
  const isBinary = ((header[SIZE.at] ?? 0) & 0x80) !== 0
  return isBinary ? Number(header.readBigUInt64BE(SIZE.at + 4)) : octalIn(header, SIZE)
}

function octalIn(
  header: Buffer,
  { at, length }: { readonly at: number; readonly length: number },
): number | null {
  const text = header
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : null
}
