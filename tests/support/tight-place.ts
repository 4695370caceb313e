import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, readFile, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A directory that runs out of space when it is told to, for real: the kernel refuses to write. */
export interface TightPlace {
  readonly path: string
  /** No less may be left where a catalog of the same processes has to grow. */
  readonly leastBytes: number
  /** From now on only so many bytes more fit; where no file system can be mounted, no file of these processes grows larger. */
  fill(leaveBytes: number, pids: readonly number[]): Promise<void>
  /** There is space again. */
  relax(): Promise<void>
  remove(): Promise<void>
}

/**
 * Makes a file system of its own in memory. Where that is not permitted, the limit is one on the size of files, which
 * the kernel enforces for processes and what they start from then on.
 */
export async function makeTightPlace(sizeBytes: number): Promise<TightPlace> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-tight-')))
  const isMounted = await run('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${sizeBytes},mode=0700`,
    'tmpfs',
    path,
  ]).then(
    () => true,
    () => false,
  )
  return isMounted ? mounted(path) : limited(path)
}

function mounted(path: string): TightPlace {
  const ballast = join(path, '.ballast')
  return {
    path,
    leastBytes: 0,
    async fill(leaveBytes) {
      const { bavail, bsize } = await statfs(path)
      const file = await open(ballast, 'w')
      try {
        const chunk = Buffer.alloc(64 * 1024)
        for (let left = bavail * bsize - leaveBytes; left > 0; left -= chunk.length) {
          await file.write(chunk, 0, Math.min(left, chunk.length))
        }
      } finally {
        await file.close()
      }
    },
    relax: () => rm(ballast, { force: true }),
    async remove() {
      // lazily: a process that is just ending may still have a file open
      await run('umount', ['--lazy', path])
      await rm(path, { recursive: true, force: true })
    },
  }
}

function limited(path: string): TightPlace {
  const squeezed = new Set<number>()
  const limit = async (pids: Iterable<number>, soft: string) => {
    for (const pid of pids) await run('prlimit', ['--pid', String(pid), `--fsize=${soft}:`]).catch(() => {})
  }
  const relax = async () => {
    await limit(await withDescendants(squeezed), 'unlimited')
    squeezed.clear()
  }
  return {
    path,
    leastBytes: 4.5 * 1024 * 1024,
    async fill(leaveBytes, pids) {
      for (const pid of pids) squeezed.add(pid)
      await limit(await withDescendants(squeezed), String(leaveBytes))
    },
    relax,
    async remove() {
      await relax()
      await rm(path, { recursive: true, force: true })
    },
  }
}

/** Helper processes have limits of their own, taken from their parent when they were started. */
async function withDescendants(pids: ReadonlySet<number>): Promise<ReadonlySet<number>> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '') : ''
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    if (stat !== '') parents.set(Number(name), parent)
  }
  const found = new Set(pids)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return found
}
