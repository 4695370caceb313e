import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import { mkdir, open, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError, isUuid, syncDirectory, systemClock, uuidv7 } from '@holdfast/core'
import { errnoOf, translated, unavailable } from './local-errors.ts'
import { PARTIAL, writeExclusively } from './local-files.ts'

const MARKER = '.holdfast-storage.json'
/** What may lie in a directory that counts as empty. */
const NOT_CONTENT = new Set([PARTIAL, MARKER, 'lost+found'])

/** The directory of a storage, known by the marker in it. */
export class LocalRoot {
  readonly path: string
  readonly id: string
  #identity: string

  constructor(path: string, id: string, identity: string) {
    this.path = path
    this.id = id
    this.#identity = identity
  }

  /**
   * Rejects unless the directory is still the one that was opened. When its disk is unmounted, the empty directory
   * below must not be taken for the storage.
   */
  async require(): Promise<void> {
    const identity = identityOf(await statRoot(this.path))
    if (identity === this.#identity) return
    const id = await readMarker(this.path)
    if (id === null) throw notMounted(this.path)
    if (id !== this.id) throw mismatch(this.path, 'another storage lies there now')
    this.#identity = identity
  }
}

/** Opens a directory as a storage, on first use making it one. Safe with several processes at once. */
export async function openRoot(path: string, create: boolean): Promise<LocalRoot> {
  if (create) await translated(path, () => makeDirectories(path))
  const resolved = await translated(path, () => realpath(path))
  const found = await statRoot(resolved)
  if (!found.isDirectory()) throw mismatch(resolved, 'it is not a directory')
  const id = (await readMarker(resolved)) ?? (await makeMarker(resolved, create))
  return new LocalRoot(resolved, id, identityOf(found))
}

async function makeMarker(root: string, create: boolean): Promise<string> {
  const names = await translated(root, () => readdir(root))
  const isEmpty = names.every((name) => NOT_CONTENT.has(name))
  if (!create && isEmpty) throw notMounted(root)
  if (isEmpty) {
    const marker = { formatVersion: 1, id: uuidv7(systemClock.now()) }
    await translated(root, () => writeExclusively(root, MARKER, Buffer.from(`${JSON.stringify(marker)}\n`)))
  }
  // another process may have been first, and may have stored something meanwhile
  const id = await readMarker(root)
  if (id === null) throw mismatch(root, `it is not empty and has no ${MARKER}`)
  return id
}

async function readMarker(root: string): Promise<string | null> {
  const text = await translated(root, () => readIfThere(join(root, MARKER)))
  if (text === null) return null
  const id = markerId(text)
  if (id === null) throw mismatch(root, `its ${MARKER} cannot be read`)
  return id
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

function markerId(text: string): string | null {
  try {
    const marker: unknown = JSON.parse(text)
    if (typeof marker !== 'object' || marker === null || !('id' in marker)) return null
    return typeof marker.id === 'string' && isUuid(marker.id) ? marker.id : null
  } catch {
    return null
  }
}

/** Like `mkdir -p`, durably. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectories(dirname(path))
    return makeDirectories(path)
  }
  await syncDirectory(dirname(path))
}

function statRoot(path: string): Promise<BigIntStats> {
  return translated(path, () => stat(path, { bigint: true }))
}

function identityOf(found: BigIntStats): string {
  return `${found.dev}:${found.ino}`
}

function notMounted(root: string): AppError {
  return unavailable(
    root,
    `its ${MARKER} is gone`,
    'the directory is empty or not the one it was: is its disk mounted?',
  )
}

function mismatch(root: string, what: string): AppError {
  return new AppError('STORAGE_MISMATCH', `${root} is not the storage that was expected: ${what}`, {
    hint: 'check HOLDFAST_STORAGE_URL and what is mounted there; a new storage needs a directory that is empty',
  })
}
