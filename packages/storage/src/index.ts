import type { Storage } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { openLocalStorage } from './local-storage.ts'
import type { OpenOptions } from './open-options.ts'

export type { OpenOptions } from './open-options.ts'

type Open = (url: URL, options: OpenOptions) => Promise<Storage>

/** One line per kind of storage. */
const KINDS: Readonly<Record<string, Open>> = {
  'file:': openLocalStorage,
}

/**
 * Opens the storage that a URL names. Rejects with INVALID_CONFIGURATION for a URL that is none or of an unknown
 * kind, STORAGE_UNAVAILABLE if it cannot be reached, and STORAGE_MISMATCH if the place holds something else.
 */
export async function openStorage(url: string, options: OpenOptions): Promise<Storage> {
  const parsed = URL.parse(url)
  const open = parsed === null ? undefined : KINDS[parsed.protocol]
  // the URL itself may hold secrets
  if (parsed !== null && open !== undefined) return open(parsed, options)
  throw new AppError('INVALID_CONFIGURATION', 'the storage URL is of an unknown kind', {
    hint: `use one of: ${Object.keys(KINDS)
      .map((kind) => `${kind}//…`)
      .join(', ')}`,
  })
}
