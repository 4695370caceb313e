import { mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.ts'

/**
 * Runs `work` with a private directory that is gone afterwards, whatever happens. The name carries operation and
 * fence, so that leftovers of a killed worker can be told from work in progress: those of earlier attempts, which may
 * hold passwords, are removed first.
 */
export async function withScratch<Result>(
  scratchDir: string,
  owner: { readonly operationId: string; readonly fence: number },
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = join(scratchDir, `${owner.operationId}-${owner.fence}`)
  try {
    await removeEarlier(scratchDir, owner)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return await work(directory)
  } catch (error) {
    throw asTemporarySpaceError(error, scratchDir)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Whoever had the operation before is dead, or will find that nothing of his counts any more. */
async function removeEarlier(
  scratchDir: string,
  { operationId, fence }: { readonly operationId: string; readonly fence: number },
): Promise<void> {
  const own = `${operationId}-`
  for (const name of await readdir(scratchDir).catch(() => [])) {
    // a driver may keep what is staged there, under other names
    const earlier = name.startsWith(own) ? name.slice(own.length) : ''
    if (!/^\d+$/.test(earlier) || Number(earlier) >= fence) continue
    await rm(join(scratchDir, name), { recursive: true, force: true })
  }
}

/** Rejects with TEMPORARY_SPACE_FULL before anything is written, if it is plain that it cannot fit. */
export async function requireScratchSpace(directory: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  const freeBytes = bavail * bsize
  if (freeBytes >= neededBytes) return
  throw new AppError(
    'TEMPORARY_SPACE_FULL',
    `temporary space has ${freeBytes} bytes free, ${neededBytes} are needed`,
    { hint: 'free space in the data directory, or move it with HOLDFAST_DATA_DIR' },
  )
}

function asTemporarySpaceError(error: unknown, scratchDir: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') return error
  return new AppError('TEMPORARY_SPACE_FULL', `no space left in the temporary directory ${scratchDir}`, {
    cause: error,
    hint: 'free space in the data directory, or move it with HOLDFAST_DATA_DIR',
  })
}
