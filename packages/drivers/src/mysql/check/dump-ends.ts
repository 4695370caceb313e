import { open } from 'node:fs/promises'
import { trailerIn } from './trailer.ts'

/** More than either program writes before its name. */
const HEAD_BYTES = 512
const TAIL_BYTES = 512
const HEADER = /^(?:\/\*M!999999\\- enable the sandbox mode \*\/ ?\n)?-- (?:MariaDB|MySQL) dump /
const COMPRESSED: readonly (readonly [name: string, magic: string])[] = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['xz', 'fd377a585a00'],
  ['age', Buffer.from('age-encryption.org').toString('hex')],
]

/**
 * What is wrong with the ends of a script of mariadb-dump or mysqldump, in words; null if nothing is. A script that was
 * cut between two statements loads without an error: only its last line tells that it is whole.
 */
export async function findWrongEnds(file: string): Promise<string | null> {
  const { head, tail } = await readEnds(file)
  const packed = COMPRESSED.find(([, magic]) => head.toString('hex').startsWith(magic))
  if (packed !== undefined) return `it is still packed (${packed[0]})`
  if (!HEADER.test(head.toString('latin1'))) return 'it does not begin as a dump of mariadb-dump or mysqldump'
  if (trailerIn(tail.toString('latin1'))) return null
  return 'it does not end as a dump of mariadb-dump or mysqldump: it was cut short'
}

async function readEnds(file: string): Promise<{ readonly head: Buffer; readonly tail: Buffer }> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const read = async (bytes: number, position: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, position)
      return buffer.subarray(0, bytesRead)
    }
    return { head: await read(HEAD_BYTES, 0), tail: await read(TAIL_BYTES, Math.max(0, size - TAIL_BYTES)) }
  } finally {
    await handle.close()
  }
}
