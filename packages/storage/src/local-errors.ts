import { AppError } from '@holdfast/core'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const HINTS: Readonly<Record<string, string>> = {
  EROFS: 'it is mounted read-only, which disks also become after errors: see the log of the system',
  EACCES: 'let the user that the workers run as read and write it',
  EPERM: 'let the user that the workers run as read and write it',
  ENOENT: 'the directory is gone: is its disk mounted?',
  EIO: 'the disk or the network under it reports errors: see the log of the system',
  ESTALE: 'the network file system was remounted: start the process again',
  ELOOP: 'a link lies inside the storage: replace it by what it points to',
  ENOTDIR: 'a file or a link lies where a directory should be',
}

/** The `code` of a system error; null for anything else. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** What a failure of the file system means for a storage. What is no system error stays as it is. */
export function storageError(error: unknown, root: string): unknown {
  const code = errnoOf(error)
  if (error instanceof AppError || code === null) return error
  if (FULL.has(code)) {
    return new AppError('STORAGE_FULL', `the storage ${root} is full`, {
      cause: error,
      hint: 'free or add space (retention removes expired backups), then ask again',
    })
  }
  return unavailable(root, `it answers ${code}`, HINTS[code], error)
}

/** STORAGE_UNAVAILABLE for a storage in this directory. */
export function unavailable(root: string, what: string, hint?: string, cause?: unknown): AppError {
  return new AppError('STORAGE_UNAVAILABLE', `the storage ${root} cannot be used: ${what}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Runs work on the file system with its failures translated. */
export async function translated<Result>(root: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error, root)
  }
}
