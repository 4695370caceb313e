import { existsSync } from 'node:fs'
import { HelperFailure } from './failure.ts'

/**
 * A name under which better-sqlite3 opens the file that is open as `descriptor`, and no other.
 *
 * It trims white space off both ends of a file name, so that `data.db ` would be another file. The system's link to
 * the descriptor has none: SQLite resolves it, and keeps its -wal beside the real file.
 */
export function sqlitePath(realPath: string, descriptor: number): string {
  if (realPath.trim() === realPath) return realPath
  const link = `/proc/self/fd/${descriptor}`
  if (existsSync(link)) return link
  throw new HelperFailure('DATABASE_INVALID', 'the name of the file ends with white space', 'rename the file')
}
