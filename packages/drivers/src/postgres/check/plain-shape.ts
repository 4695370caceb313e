import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'

const HEAD = '--\n-- PostgreSQL database dump\n--\n'
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n'
/** Since 15.14 and its likes a script is locked by a key of its own, which its last line names again. */
const LOCK = /^\n\\restrict ([A-Za-z0-9]+)\n/
const UNLOCK = /\\unrestrict ([A-Za-z0-9]+)\n\n$/
/** More than pg_dump writes before its first and after its last statement. */
const EDGE_BYTES = 512

/**
 * What is wrong with the ends of a script of pg_dump, in words; null if nothing is. A script that was cut between two
 * statements loads without an error: only its last lines tell that it is whole.
 */
export async function findWrongEnds(file: string): Promise<string | null> {
  const { head, tail } = await readEnds(file)
  if (!head.startsWith(HEAD)) return 'it does not begin as a dump of pg_dump'
  const key = LOCK.exec(head.slice(HEAD.length))?.[1]
  const unlocking = UNLOCK.exec(tail)
  const end = unlocking === null ? tail : tail.slice(0, unlocking.index)
  if (!end.endsWith(TRAILER)) return 'it does not end as a dump of pg_dump: it was cut short'
  return key === unlocking?.[1] ? null : 'its beginning and its end are of two different dumps'
}

async function readEnds(file: string): Promise<{ readonly head: string; readonly tail: string }> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const head = await readAt(handle, 0)
    return { head, tail: await readAt(handle, Math.max(0, size - EDGE_BYTES)) }
  } finally {
    await handle.close()
  }
}

async function readAt(handle: FileHandle, position: number): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(EDGE_BYTES), 0, EDGE_BYTES, position)
  return buffer.toString('latin1', 0, bytesRead)
}
