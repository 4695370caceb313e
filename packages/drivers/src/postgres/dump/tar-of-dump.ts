import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CHUNK_BYTES } from '@holdfast/core'

const BLOCK_BYTES = 512
/** What eleven octal digits can say. */
const LARGEST_OCTAL = 0o77777777777

/**
 * A dump of format `directory` as one tar, piece by piece. The table of contents comes first and everything else in
 * the order of names, without times and owners: equal dumps are equal tars.
 */
export async function* tarOfDump(directory: string): AsyncGenerator<Buffer> {
  for (const name of await namesIn(directory)) {
    const path = join(directory, name)
    const { size } = await stat(path)
    yield header(name, size)
    if (size > 0) yield* content(path, size)
    yield Buffer.alloc((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES)
  }
  yield Buffer.alloc(2 * BLOCK_BYTES)
}

/** No more than was announced, should there be. */
async function* content(path: string, size: number): AsyncGenerator<Buffer> {
  let sent = 0
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, end: size - 1 })) {
    sent += chunk.length
    yield chunk
  }
  if (sent !== size) throw new Error(`a file of ${size} bytes had ${sent} when it was read`)
}

const CONTENTS = 'toc.dat'

async function namesIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).sort()
  return [CONTENTS, ...names.filter((name) => name !== CONTENTS)]
}

/** A header of POSIX's ustar format. pg_dump's names are short; sizes over 8 GiB are written as GNU tar does. */
function header(name: string, size: number): Buffer {
  if (!/^[\w.]{1,99}$/.test(name)) throw new Error('pg_dump gave a file an unexpected name')
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(name, 0)
  block.write('0000600\0' + '0000000\0' + '0000000\0', 100)
  writeSize(block, size)
  block.write(`${octal(0, 11)}\0`, 136)
  // the checksum is taken with blanks in its own place
  block.write('        0', 148)
  block.write('ustar\0' + '00', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}

function writeSize(block: Buffer, size: number): void {
  if (size <= LARGEST_OCTAL) {
    block.write(`${octal(size, 11)}\0`, 124)
    return
  }
  block.writeUInt8(0x80, 124)
  block.writeBigUInt64BE(BigInt(size), 128)
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
