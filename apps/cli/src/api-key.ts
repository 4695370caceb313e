import { readFileSync } from 'node:fs'
import { CliError, usageError } from './cli-error.ts'
import { EXIT } from './exit-codes.ts'
import type { Host } from './host.ts'

/**
 * The API key, from where nobody else can read it. There is no option that takes the key itself: the arguments of a
 * process are visible to everybody on the machine.
 */
export function readApiKey(env: Host['env'], keyFile: string | undefined): string {
  if (keyFile !== undefined) return readKeyFile(keyFile)
  const { HOLDFAST_API_KEY: key, HOLDFAST_API_KEY_FILE: file } = env
  if (key && file)
    throw usageError('HOLDFAST_API_KEY and HOLDFAST_API_KEY_FILE are both set', 'unset one of them')
  if (key) return key.trim()
  if (file) return readKeyFile(file)
  throw new CliError({
    code: 'UNAUTHENTICATED',
    detail: 'no API key is given',
    hint: 'set HOLDFAST_API_KEY or HOLDFAST_API_KEY_FILE, or name a file with --key-file; the service showed its first key when it started first',
    exitCode: EXIT.refused,
  })
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw usageError(`the key file ${path} cannot be read: ${reason}`)
  }
}
