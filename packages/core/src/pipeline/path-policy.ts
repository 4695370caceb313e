import { realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { AppError } from '../errors.ts'

/**
 * Resolves a path, following links in the part of it that exists, and returns it. Rejects with PATH_NOT_ALLOWED when
 * it is not absolute or ends up outside of every root.
 */
export async function requireInsideRoots(path: string, roots: readonly string[]): Promise<string> {
  if (!isAbsolute(path) || path.includes('\0'))
    throw new AppError('PATH_NOT_ALLOWED', 'the path is not absolute')
  const resolved = await resolveExisting(path)
  for (const root of roots) {
    const resolvedRoot = await resolveExisting(root)
    if (resolved === resolvedRoot || resolved.startsWith(join(resolvedRoot, sep))) return resolved
  }
  throw new AppError('PATH_NOT_ALLOWED', `${path} lies outside of the directories that are allowed`, {
    hint: 'name its directory in HOLDFAST_PATH_ROOTS of the process that does the work',
  })
}

async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOENT' || dirname(path) === path) {
      throw new AppError('PATH_NOT_ALLOWED', `${path} cannot be resolved`, { cause: error })
    }
    return join(await resolveExisting(dirname(path)), basename(path))
  }
}
