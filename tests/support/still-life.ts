import { createHash } from 'node:crypto'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Everything that can be seen of a directory from outside: names, sizes, kinds, inodes, times of change and content.
 * Two of them are equal if nobody has changed anything between. Hidden files count; FIFOs are not opened.
 */
export async function stillLife(directory: string): Promise<Readonly<Record<string, string>>> {
  const seen: Record<string, string> = {}
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    const path = join(directory, name)
    const { mode, size, ino, nlink, mtimeMs } = await lstat(path)
    const kind = mode & 0o170000
    const shape = [mode.toString(8), ino, nlink]
    if (kind === 0o100000) seen[name] = [...shape, size, mtimeMs, sha256(await readFile(path))].join(' ')
    // the time of a directory tells of names that came and went, such as those of files being staged
    else seen[name] = [...shape, kind === 0o120000 ? await readlink(path) : ''].join(' ')
  }
  return seen
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
