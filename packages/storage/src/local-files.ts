import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { link, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, syncDirectory } from '@holdfast/core'
import { errnoOf } from './local-errors.ts'

/** Folder in the root that holds what is not whole yet. Its name is no valid key. */
export const PARTIAL = '.partial'
/** How often somebody else may remove an empty folder between our making and our using it. */
const MOST_RETRIES = 100
/** How much is written between two syncs on the way: left to the end, 400 MB wait 140 ms for the disk, else 6. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024

/** A file on its way into a storage: written under a temporary name, then brought to its place in one step. */
export class PartialFile {
  readonly #root: string
  readonly #path: string
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  #sizeBytes = 0
  #unsyncedBytes = 0
  #syncing: Promise<void> | null = null
  #syncFailure: unknown = null

  constructor(root: string, path: string, handle: FileHandle) {
    this.#root = root
    this.#path = path
    this.#handle = handle
  }

  async write(chunk: Uint8Array): Promise<void> {
    // the write runs in a thread of its own while this one hashes
    const writing = writeAll(this.#handle, chunk)
    this.#hash.update(chunk)
    this.#sizeBytes += chunk.length
    this.#unsyncedBytes += chunk.length
    await writing
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES && this.#syncing === null) this.#syncOnTheWay()
  }

  /** Makes it durable under its key. With `link` it rejects with OBJECT_EXISTS rather than replace something. */
  async commit(key: string, how: 'link' | 'replace'): Promise<{ sizeBytes: number; sha256: string }> {
    await this.#syncing
    // a failure is reported to one sync only, so the next one may succeed
    if (this.#syncFailure !== null) throw this.#syncFailure
    await this.#handle.sync()
    const place = join(this.#root, key)
    for (let attempt = 1; !(await this.#bring(key, place, how)); attempt += 1) {
      if (attempt === MOST_RETRIES)
        throw Object.assign(new Error('a folder vanishes again and again'), { code: 'ENOENT' })
    }
    // all of them: another process may have made a folder and not synced it yet
    for (const folder of foldersOf(this.#root, key)) await syncDirectory(folder).catch(ignore('ENOENT'))
    return { sizeBytes: this.#sizeBytes, sha256: this.#hash.digest('hex') }
  }

  #syncOnTheWay(): void {
    this.#unsyncedBytes = 0
    this.#syncing = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#syncFailure ??= error
      })
      .finally(() => {
        this.#syncing = null
      })
  }

  /** False if a folder vanished, which whoever deletes the last object in it removes. */
  async #bring(key: string, place: string, how: 'link' | 'replace'): Promise<boolean> {
    try {
      await makeFolders(this.#root, key)
      if (how === 'replace') await rename(this.#path, place)
      else await link(this.#path, place)
      return true
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'EEXIST') throw objectExists(key, error)
      if (code !== 'ENOENT') throw error
      return false
    }
  }

  /** Tells whether the file system knows links, by which objects get their names. */
  async probeLink(): Promise<void> {
    const second = `${this.#path}.link`
    await link(this.#path, second)
    await rm(second)
  }

  /** Always to be called, after success too. What cannot be removed now is swept later. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {})
    await rm(this.#path, { force: true }).catch(() => {})
  }
}

/** Begins a file. Nobody sees it before it is committed. */
export async function beginFile(root: string): Promise<PartialFile> {
  await mkdir(join(root, PARTIAL), { mode: 0o700 }).catch(ignore('EEXIST'))
  const path = join(root, PARTIAL, randomUUID())
  return new PartialFile(root, path, await open(path, 'wx', 0o600))
}

/** Writes a small file durably, unless its name is taken. True if it was free. */
export async function writeExclusively(root: string, name: string, bytes: Uint8Array): Promise<boolean> {
  const file = await beginFile(root)
  try {
    await file.write(bytes)
    await file.commit(name, 'link')
    return true
  } catch (error) {
    if (error instanceof AppError && error.code === 'OBJECT_EXISTS') return false
    throw error
  } finally {
    await file.discard()
  }
}

/** OBJECT_EXISTS for a key. */
export function objectExists(key: string, cause?: unknown): AppError {
  return new AppError('OBJECT_EXISTS', `an object ${key} exists already`, { cause })
}

/**
 * Rejects unless the folders of a key are directories: with ENOENT if one does not exist, ENOTDIR for an object, and
 * ELOOP for a link, as whatever it points to lies outside.
 */
export async function requireFolders(root: string, key: string): Promise<void> {
  for (const folder of foldersOf(root, key).slice(1)) requireDirectory(folder, (await lstat(folder)).mode)
}

async function makeFolders(root: string, key: string): Promise<void> {
  for (const folder of foldersOf(root, key).slice(1)) {
    await mkdir(folder, { mode: 0o700 }).catch(ignore('EEXIST'))
    const found = await lstat(folder).catch(ignore('ENOENT'))
    if (found) requireDirectory(folder, found.mode)
  }
}

/** The folders that a key lies in, from the root downwards. */
function foldersOf(root: string, key: string): readonly string[] {
  const folders = [root]
  for (const part of key.split('/').slice(0, -1)) folders.push(join(folders.at(-1) ?? root, part))
  return folders
}

function requireDirectory(folder: string, mode: number): void {
  const type = mode & constants.S_IFMT
  if (type === constants.S_IFDIR) return
  const code = type === constants.S_IFLNK ? 'ELOOP' : 'ENOTDIR'
  throw Object.assign(new Error(`${folder} is not a directory`), { code })
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, offset)
    offset += bytesWritten
  }
}

/** For `catch`: undefined instead of the system error with this code. */
export function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) === code) return undefined
    throw error
  }
}
