import { createHash } from 'node:crypto'
import { closeSync, openSync, rmSync } from 'node:fs'
import type { Database as Connection } from 'better-sqlite3'
import type { CopyMethod } from '../protocol.ts'
import { copyByBackupApi } from './backup-api.ts'
import { copyPages } from './copy-pages.ts'
import type { StillState } from './pin-state.ts'
import { wasReset, withoutLog } from './pin-state.ts'

/** A copy of one state in a file of its own. */
export interface PinnedCopy {
  /** SHA-256 (hex) of the copy's bytes as they were written. */
  readonly sha256: string
  readonly copiedBy: CopyMethod
  /** Pages that were neither in the file nor in the log. */
  readonly missingPages: number
}

/** Copies a state into a new file: directly if possible, else through the connection that is pinned to it. */
export async function copyPinned(
  connection: Connection,
  state: StillState,
  to: string,
  onProgress: (bytes: number, totalBytes: number) => void,
): Promise<PinnedCopy> {
  if (state.pages === null) {
    const sha256 = await copyByBackupApi(connection, to, state.pageSize, onProgress)
    return { sha256, copiedBy: 'backup-api', missingPages: 0 }
  }
  const hash = createHash('sha256')
  const file = openSync(to, 'wx', 0o600)
  let missingPages: number | 'reset'
  try {
    missingPages = await copyPages(state.pages, { file, hash, onProgress })
  } finally {
    closeSync(file)
  }
  if (missingPages !== 'reset' && !wasReset(state)) {
    return { sha256: hash.digest('hex'), copiedBy: 'direct', missingPages }
  }
  rmSync(to)
  return copyPinned(connection, withoutLog(state), to, onProgress)
}
