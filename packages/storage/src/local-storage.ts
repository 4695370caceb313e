import type { Dirent, Stats } from 'node:fs'
import { constants } from 'node:fs'
import { lstat, open, readdir, rm, rmdir, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { PutResult, Storage, StoredObject } from '@holdfast/core'
import {
  AppError,
  CHUNK_BYTES,
  cancellation,
  requireFolder,
  requireKey,
  syncDirectory,
  systemClock,
  throwIfAborted,
} from '@holdfast/core'
import { errnoOf, storageError, translated } from './local-errors.ts'
import { beginFile, ignore, objectExists, PARTIAL, requireFolders } from './local-files.ts'
import type { LocalRoot } from './local-root.ts'
import { openRoot } from './local-root.ts'
import type { OpenOptions } from './open-options.ts'

/** Opens the directory of a `file:///directory` URL as a storage. */
export async function openLocalStorage(url: URL, { name, create }: OpenOptions): Promise<Storage> {
  return new LocalStorage(name, await openRoot(directoryOf(url), create))
}

function directoryOf(url: URL): string {
  const plain = url.host === '' && url.search === '' && url.hash === ''
  try {
    // an encoded NUL or slash is refused here
    const path = fileURLToPath(url)
    if (plain && url.href.startsWith('file:///') && !path.includes('\0'))
      return path.replace(/(?<=.)\/+$/, '')
  } catch {
    // said below
  }
  throw new AppError(
    'INVALID_CONFIGURATION',
    'a file: storage URL must name an absolute directory and nothing else',
    {
      hint: 'write file:///var/lib/holdfast/backups, with %25 for a percent sign, %3F for ? and %23 for #',
    },
  )
}

/** Objects as files below a directory: readable with any tool, whole or not there. */
class LocalStorage implements Storage {
  readonly name: string
  readonly displayUrl: string
  readonly #root: LocalRoot

  constructor(name: string, root: LocalRoot) {
    this.name = name
    this.displayUrl = pathToFileURL(root.path).href
    this.#root = root
  }

  async id(): Promise<string> {
    await this.#root.require()
    return this.#root.id
  }

  async put(key: string, source: Readable, signal: AbortSignal): Promise<PutResult> {
    // it may fail, or be left, before anybody reads it
    source.on('error', () => {})
    const abort = () => source.destroy(cancellation(signal))
    signal.addEventListener('abort', abort, { once: true })
    try {
      throwIfAborted(signal)
      return await this.#store(requireKey(key), source, signal)
    } catch (error) {
      const failure = signal.aborted ? cancellation(signal) : error
      source.destroy(failure instanceof Error ? failure : undefined)
      throw failure
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    requireKey(key)
    await this.#inRoot(async () => {
      const file = await beginFile(this.#root.path)
      try {
        await file.write(bytes)
        await file.commit(key, 'replace')
      } finally {
        await file.discard()
      }
    })
  }

  async get(key: string, signal: AbortSignal): Promise<Readable> {
    requireKey(key)
    throwIfAborted(signal)
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const found = await this.#inRoot(async () => {
      try {
        await requireFolders(this.#root.path, key)
        const handle = await open(this.locate(key), flags)
        const stats = await handle.stat()
        if (stats.isFile()) return { handle, sizeBytes: stats.size }
        await handle.close()
        return null
      } catch (error) {
        return ifMissing(error)
      }
    })
    if (!found) throw new AppError('OBJECT_NOT_FOUND', `there is no object ${key}`)
    const object = new ReadObject(this.#root.path, signal)
    // each read allocates so much, for a manifest hundreds of times its size
    const highWaterMark = Math.min(CHUNK_BYTES, found.sizeBytes + 1)
    pipeline(found.handle.createReadStream({ highWaterMark }), object, { signal }).catch(() => {})
    return object
  }

  async stat(key: string): Promise<StoredObject | null> {
    requireKey(key)
    const found = await this.#inRoot(() => this.#statFile(key))
    return found ? { key, sizeBytes: found.size, modifiedAtMs: found.mtimeMs } : null
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const folder = requireFolder(prefix)
    await this.#root.require()
    yield* this.#listFolder(folder)
  }

  async delete(key: string): Promise<boolean> {
    requireKey(key)
    return this.#inRoot(async () => {
      if ((await this.#statFile(key)) === undefined) return false
      const place = this.locate(key)
      try {
        await unlink(place)
      } catch (error) {
        ignore('ENOENT')(error)
        return false
      }
      await this.#removeEmptyFolders(dirname(place))
      return true
    })
  }

  async sweepPartial(olderThanMs: number): Promise<number> {
    const folder = join(this.#root.path, PARTIAL)
    return this.#inRoot(async () => {
      let swept = 0
      for (const name of (await readdir(folder).catch(ignore('ENOENT'))) ?? []) {
        const found = await lstat(join(folder, name)).catch(ignore('ENOENT'))
        if (!found || found.mtimeMs > systemClock.now() - olderThanMs) continue
        await rm(join(folder, name), { force: true, recursive: true })
        swept += 1
      }
      return swept
    })
  }

  locate(keyOrFolder: string): string {
    return join(this.#root.path, requireFolder(keyOrFolder))
  }

  async check(): Promise<{ readonly freeBytes: number }> {
    return this.#inRoot(async () => {
      const file = await beginFile(this.#root.path)
      try {
        await file.write(Buffer.from('probe'))
        await file.probeLink()
      } finally {
        await file.discard()
      }
      const { bavail, bsize } = await statfs(this.#root.path)
      return { freeBytes: bavail * bsize }
    })
  }

  /** Runs file system work in the root that was opened, with its failures translated. */
  async #inRoot<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#root.require()
    return translated(this.#root.path, work)
  }

  async #store(key: string, source: Readable, signal: AbortSignal): Promise<PutResult> {
    const taken = await this.#inRoot(() => this.#statFile(key))
    if (taken) throw objectExists(key)
    const file = await this.#inRoot(() => beginFile(this.#root.path))
    try {
      for await (const chunk of source) {
        await translated(this.#root.path, () => file.write(bytesOf(chunk))).catch((error: unknown) => {
          // before the loop is left, which would end whoever feeds it without a reason
          source.destroy(error instanceof Error ? error : undefined)
          throw error
        })
      }
      throwIfAborted(signal)
      return await this.#inRoot(() => file.commit(key, 'link'))
    } finally {
      await translated(this.#root.path, () => file.discard())
    }
  }

  /** Undefined if there is no such object; a link or a folder is none. */
  async #statFile(key: string): Promise<Stats | undefined> {
    try {
      await requireFolders(this.#root.path, key)
      const found = await lstat(this.locate(key))
      return found.isFile() ? found : undefined
    } catch (error) {
      return ifMissing(error)
    }
  }

  async *#listFolder(folder: string): AsyncIterable<StoredObject> {
    for (const entry of await translated(this.#root.path, () => this.#entries(folder))) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (!isKey(key)) continue
      if (entry.isDirectory()) yield* this.#listFolder(key)
      if (!entry.isFile()) continue
      const found = await translated(this.#root.path, () => this.#statFile(key))
      if (found) yield { key, sizeBytes: found.size, modifiedAtMs: found.mtimeMs }
    }
  }

  async #entries(folder: string): Promise<readonly Dirent[]> {
    try {
      await requireFolders(this.#root.path, `${folder}/`)
      return await readdir(this.locate(folder), { withFileTypes: true })
    } catch (error) {
      // somebody may be removing it
      return ifMissing(error) ?? []
    }
  }

  /** From a folder upwards until one is in use or the root is reached, so that what was removed stays removed. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    await syncDirectory(folder).catch(ignore('ENOENT'))
    let current = folder
    while (current !== this.#root.path && (await isRemoved(current))) current = dirname(current)
    await syncDirectory(current).catch(ignore('ENOENT'))
  }
}

/** Passes on what a file holds, with failures that are ours. */
class ReadObject extends PassThrough {
  readonly #root: string
  readonly #signal: AbortSignal

  constructor(root: string, signal: AbortSignal) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#root = root
    this.#signal = signal
    this.on('error', () => {})
  }

  /** Not in `_destroy`: whoever begins to read after the failure is given what `destroy` was called with. */
  override destroy(error?: Error): this {
    if (!error) return super.destroy()
    const failure = this.#signal.aborted ? cancellation(this.#signal) : storageError(error, this.#root)
    return super.destroy(failure instanceof Error ? failure : error)
  }
}

/** True if the folder was empty, or somebody else has removed it. */
async function isRemoved(folder: string): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT') return true
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw error
  }
}

/** For `catch`: undefined where there is no such object, also when an object lies where its folder should be. */
function ifMissing(error: unknown): undefined {
  if (errnoOf(error) === 'ENOTDIR') return undefined
  return ignore('ENOENT')(error)
}

/** What a source yields is unknown to the type system: only bytes and text make sense here. */
function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk)
  throw new TypeError('a stored stream yields something that is not bytes')
}

function isKey(key: string): boolean {
  try {
    requireKey(key)
    return true
  } catch {
    return false
  }
}
