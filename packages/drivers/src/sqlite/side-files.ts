import { lstat } from 'node:fs/promises'
import type { HelperPool } from './helper-pool.ts'
import type { FileAccess } from './protocol.ts'

/** Longest that removing what reading had to create may take. */
const TIDY_WITHIN_MS = 10_000

/** What a job that reads came to, and what could not be tidied up after it. */
export interface Tidied<Output> {
  readonly output: Output
  readonly warnings: readonly string[]
}

/**
 * Runs work that only reads, and leaves beside the database what was there before, whatever happens: opening one in
 * WAL mode needs a -wal and a -shm file, and a helper that is killed cannot remove them.
 */
export async function keepingSideFiles<Output>(
  pool: HelperPool,
  access: FileAccess,
  work: () => Promise<Output>,
): Promise<Tidied<Output>> {
  const before = await sideFiles(access.path)
  const output = await tidyingIfItFails(pool, access, work)
  return { output, warnings: await tidy(pool, access, before) }
}

/** Runs work that changes the database, which leaves it tidy by itself unless it fails. */
export async function tidyingIfItFails<Output>(
  pool: HelperPool,
  access: FileAccess,
  work: () => Promise<Output>,
): Promise<Output> {
  const before = await sideFiles(access.path)
  try {
    return await work()
  } catch (error) {
    await tidy(pool, access, before)
    throw error
  }
}

interface SideFiles {
  readonly wal: boolean
  readonly shm: boolean
}

async function sideFiles(path: string): Promise<SideFiles> {
  const exists = (name: string) => lstat(name).then(Boolean, () => false)
  return { wal: await exists(`${path}-wal`), shm: await exists(`${path}-shm`) }
}

async function tidy(pool: HelperPool, access: FileAccess, before: SideFiles): Promise<readonly string[]> {
  const after = await sideFiles(access.path)
  const isNew = (after.wal && !before.wal) || (after.shm && !before.shm)
  if (!isNew) return []
  const hooks = { signal: AbortSignal.timeout(TIDY_WITHIN_MS), openWithinMs: TIDY_WITHIN_MS }
  try {
    await pool.run('tidy', { ...access, keepWal: before.wal }, hooks)
    return []
  } catch {
    // the work itself is none the worse for it, and SQLite reuses these files
    return ['the -wal and -shm files that reading created could not be removed from beside the database']
  }
}
