import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '@holdfast/core/domain'

const KEY_BYTES = 32
const BASE64_KEY = /^[A-Za-z0-9+/]{43}=$/

/** Reads a master key as it stands in the environment: base64 of 32 bytes. Throws INVALID_CONFIGURATION. */
export function parseMasterKey(text: string): Uint8Array {
  const trimmed = text.trim()
  const key = Buffer.from(trimmed, 'base64')
  if (BASE64_KEY.test(trimmed) && key.length === KEY_BYTES) return key
  throw new AppError('INVALID_CONFIGURATION', `a master key is not base64 of ${KEY_BYTES} bytes`, {
    hint: 'make one with: openssl rand -base64 32',
  })
}

/**
 * Returns the master key kept in a file, which is made if it is not there; processes that start together get the
 * same key. Rejects with INVALID_CONFIGURATION if the file holds no key or if others may read it, and with
 * MASTER_KEY_MISSING if it can be neither read nor made.
 */
export async function loadOrCreateMasterKey(file: string): Promise<Uint8Array> {
  const known = await readKey(file)
  if (known !== null) return known
  await createKey(file)
  const made = await readKey(file)
  if (made !== null) return made
  throw missing('the file of the master key was removed as soon as it was made')
}

async function readKey(file: string): Promise<Uint8Array | null> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw new AppError('INVALID_CONFIGURATION', 'the file of the master key can be read by other users', {
        hint: `let its owner alone read it: chmod 600 ${file}`,
      })
    }
    return parseMasterKey(await readFile(file, 'utf8'))
  } catch (error) {
    if (error instanceof AppError) throw error
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw missing('the file of the master key cannot be read', error)
  }
}

/** Appears whole or not at all, and only where no key is: a second one would lock everybody out of what the first sealed. */
async function createKey(file: string): Promise<void> {
  const directory = dirname(file)
  const draft = join(directory, `.master-key-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    try {
      await writeDurably(draft, `${randomBytes(KEY_BYTES).toString('base64')}\n`)
      // unlike a rename, a link does not replace what is there
      await link(draft, file).catch(ignoreExisting)
    } finally {
      await rm(draft, { force: true })
    }
    await syncDirectory(directory)
  } catch (error) {
    throw missing('the file of the master key cannot be made', error)
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

function missing(message: string, cause?: unknown): AppError {
  return new AppError('MASTER_KEY_MISSING', message, {
    hint: 'make its directory readable and writable by this user, or set HOLDFAST_MASTER_KEY',
    cause,
  })
}
