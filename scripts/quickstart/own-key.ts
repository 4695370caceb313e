import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The key of this checkout's quickstart, made once and readable by its owner alone, so that a second run keeps it. */
export function ownKey(dataDir: string): string {
  const file = join(dataDir, 'quickstart.key')
  try {
    writeFileSync(file, `hf_${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!exists) throw error
  }
  return readFileSync(file, 'utf8').trim()
}
