import type { BigIntStats } from 'node:fs'
import type { Header } from 'tar-stream'

// What fits into the plain fields of a header. Anything else goes into a PAX record, only when needed: some small
// tar programs know none.
const LARGEST_ID = 0o777777
const LATEST_TIME = 2 ** 31 - 1

type Writable = Pick<Header, 'name' | 'size' | 'mode' | 'mtime' | 'type' | 'uid' | 'gid' | 'pax'>

/** The header of a file, directory or, with its target, symbolic link. */
export function tarHeader(
  name: string,
  stat: BigIntStats,
  linkname: string | null,
): Writable & Partial<Pick<Header, 'linkname'>> {
  const type = linkname !== null ? 'symlink' : stat.isDirectory() ? 'directory' : 'file'
  const seconds = Number(stat.mtimeNs / 1_000_000_000n)
  const plainSeconds = Math.min(Math.max(seconds, 0), LATEST_TIME)
  const pax = {
    ...(seconds === plainSeconds ? {} : { mtime: String(seconds) }),
    ...(Number(stat.uid) > LARGEST_ID ? { uid: String(stat.uid) } : {}),
    ...(Number(stat.gid) > LARGEST_ID ? { gid: String(stat.gid) } : {}),
  }
  return {
    name,
    type,
    size: type === 'file' ? Number(stat.size) : 0,
    // with the bits of the file's type, which are not written: the library takes a mode of 0 for none given
    mode: Number(stat.mode),
    mtime: new Date(plainSeconds * 1000),
    uid: Math.min(Number(stat.uid), LARGEST_ID),
    gid: Math.min(Number(stat.gid), LARGEST_ID),
    ...(linkname === null ? {} : { linkname }),
    ...(Object.keys(pax).length === 0 ? {} : { pax }),
  }
}

/** Mode, owner and time of an entry, read back from its header. */
export interface EntryAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** A Date, because Node takes negative numbers for now. */
  readonly mtime: Date
}

/** What {@link tarHeader} wrote; numbers that make no sense become harmless ones. */
export function attributesOf(
  header: Pick<Header, 'mode' | 'uid' | 'gid' | 'mtime' | 'pax'>,
): EntryAttributes {
  return {
    mode: header.mode & 0o7777,
    uid: paxNumber(header.pax, 'uid') ?? header.uid,
    gid: paxNumber(header.pax, 'gid') ?? header.gid,
    mtime: timeOf(paxNumber(header.pax, 'mtime')) ?? header.mtime,
  }
}

function timeOf(seconds: number | null): Date | null {
  if (seconds === null) return null
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) ? null : time
}

function paxNumber(pax: unknown, key: string): number | null {
  if (typeof pax !== 'object' || pax === null) return null
  const text: unknown = Object.getOwnPropertyDescriptor(pax, key)?.value
  const number = typeof text === 'string' ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : null
}
