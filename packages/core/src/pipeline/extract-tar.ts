import type { FileHandle } from 'node:fs/promises'
import { lchown, lutimes, mkdir, open, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Extract, Header } from 'tar-stream'
import { extract as startExtract } from 'tar-stream'
import { AppError, cancellation, throwIfAborted } from '../errors.ts'
import { syncDirectory } from './sync-directory.ts'
import type { EntryAttributes } from './tar-header.ts'
import { attributesOf } from './tar-header.ts'
import { together } from './together.ts'

/** Files whose content is on its way to the disk at the same time: one after the other would wait for each. */
const MOST_SYNCING = 32

/**
 * Unpacks a tar into a new directory, durably: when this resolves everything is on the disk. Nothing outside is
 * touched: absolute names, `..`, names below links and hard links are refused with ARTIFACT_CORRUPT. Rejects with
 * DESTINATION_EXISTS if the directory exists, TEMPORARY_SPACE_FULL, or the failure of `source`; nothing is left then.
 */
export async function extractTar(
  source: Readable,
  into: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<{ readonly fileCount: number }> {
  source.on('error', () => {})
  try {
    await mkdir(into, { mode: 0o700 })
  } catch (error) {
    source.destroy()
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw exists
      ? new AppError('DESTINATION_EXISTS', `${into} exists`, { cause: error })
      : extractError(error)
  }
  try {
    const tar = startExtract()
    const unpacking = new Unpacking(into, signal)
    await together(signal, (both) => [unpacking.run(tar), pipeline(source, tar, { signal: both })])
    await syncDirectory(dirname(into))
    return { fileCount: unpacking.fileCount }
  } catch (error) {
    await rm(into, { recursive: true, force: true })
    throw signal.aborted ? cancellation(signal) : extractError(error)
  }
}

/** Says why the archive is read no further, and throws that. */
type Fail = (error: unknown) => never

class Unpacking {
  readonly #into: string
  readonly #signal: AbortSignal
  /** Directories that we made, by name in the tar. Entries may lie in these only. */
  readonly #directories = new Map<string, EntryAttributes | null>([['', null]])
  readonly #syncing = new Set<Promise<void>>()
  #syncFailure: unknown = null
  fileCount = 0

  constructor(into: string, signal: AbortSignal) {
    this.#into = into
    this.#signal = signal
  }

  async run(tar: Extract): Promise<void> {
    try {
      for await (const entry of tar) {
        // before a loop over it is left, which would end the other half with no reason
        const fail = (error: unknown): never => {
          tar.destroy(error instanceof Error ? error : null)
          throw error
        }
        await this.#add(entry.header, entry, fail).catch(fail)
        entry.resume()
      }
    } finally {
      await Promise.all(this.#syncing)
    }
    if (this.#syncFailure !== null) throw this.#syncFailure
    await this.#finishDirectories()
  }

  async #add(header: Header, content: AsyncIterable<unknown>, fail: Fail): Promise<void> {
    throwIfAborted(this.#signal)
    const name = confinedName(header.name)
    const attributes = attributesOf(header)
    const path = join(this.#into, name)
    if (header.type === 'directory') {
      await this.#makeParents(name)
      if (!this.#directories.has(name)) await mkdir(path, { mode: 0o700 })
      this.#directories.set(name, attributes)
      return
    }
    await this.#makeParents(name)
    if (header.type === 'file') await this.#addFile(path, attributes, content, fail)
    else if (header.type === 'symlink') await addLink(path, header.linkname, attributes)
    else throw malformed(`an entry is a ${String(header.type)}`)
    this.fileCount += 1
  }

  /** A name is made of directories only if we made each of them: a link is never walked through. */
  async #makeParents(name: string): Promise<void> {
    const parts = name.split('/').slice(0, -1)
    for (let length = 1; length <= parts.length; length += 1) {
      const parent = parts.slice(0, length).join('/')
      if (this.#directories.has(parent)) continue
      await mkdir(join(this.#into, parent), { mode: 0o700 })
      this.#directories.set(parent, null)
    }
  }

  async #addFile(
    path: string,
    attributes: EntryAttributes,
    content: AsyncIterable<unknown>,
    fail: Fail,
  ): Promise<void> {
    const handle = await open(path, 'wx', 0o600)
    try {
      for await (const chunk of content) {
        // tar-stream declares unknown; a tar holds bytes
        if (chunk instanceof Uint8Array) await writeAll(handle, chunk).catch(fail)
      }
    } catch (error) {
      await handle.close()
      throw error
    }
    await this.#sync(settle(handle, attributes))
  }

  /** Lets a file reach the disk while the next ones are unpacked. */
  async #sync(task: Promise<void>): Promise<void> {
    const tracked = task
      .catch((error: unknown) => {
        this.#syncFailure ??= error
      })
      .finally(() => this.#syncing.delete(tracked))
    this.#syncing.add(tracked)
    if (this.#syncing.size >= MOST_SYNCING) await Promise.race(this.#syncing)
    if (this.#syncFailure !== null) throw this.#syncFailure
  }

  /** Last and from the innermost outwards: modes may forbid writing, and times change by it. */
  async #finishDirectories(): Promise<void> {
    for (const [name, attributes] of [...this.#directories].reverse()) {
      throwIfAborted(this.#signal)
      const handle = await open(join(this.#into, name), 'r')
      await (attributes === null ? handle.sync().finally(() => handle.close()) : settle(handle, attributes))
    }
  }
}

function confinedName(name: string): string {
  const trimmed = name.replace(/\/+$/, '')
  const parts = trimmed.split('/')
  const escapes = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  if (escapes) throw malformed('a name leads elsewhere')
  return trimmed
}

async function addLink(path: string, target: string, attributes: EntryAttributes): Promise<void> {
  await symlink(target, path)
  await giveOwner((uid, gid) => lchown(path, uid, gid), attributes)
  await lutimes(path, attributes.mtime, attributes.mtime)
}

/** As root only, like tar; and only where that is possible: containers know a few owners of many. */
async function giveOwner(
  change: (uid: number, gid: number) => Promise<void>,
  { uid, gid }: EntryAttributes,
): Promise<void> {
  if (process.geteuid?.() !== 0) return
  try {
    await change(uid, gid)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EPERM' && code !== 'EINVAL') throw error
  }
}

/** Gives owner, mode and time, makes it durable, and closes it. */
async function settle(handle: FileHandle, attributes: EntryAttributes): Promise<void> {
  try {
    // before the mode: a change of owner clears set-user-id
    await giveOwner((uid, gid) => handle.chown(uid, gid), attributes)
    await handle.chmod(attributes.mode)
    await handle.utimes(attributes.mtime, attributes.mtime)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, offset)
    offset += bytesWritten
  }
}

function malformed(what: string, cause?: unknown): AppError {
  return new AppError('ARTIFACT_CORRUPT', `the archive of files cannot be unpacked: ${what}`, { cause })
}

function extractError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new AppError('TEMPORARY_SPACE_FULL', 'no space is left to unpack the files', {
      hint: 'the files are unpacked beside their destination first: free space on its file system',
      cause: error,
    })
  }
  if (code === 'EEXIST') return malformed('a name comes twice', error)
  // the tar library gives plain errors without a code
  return code === undefined ? malformed(error.message, error) : error
}
