import { HoldfastError } from '@holdfast/client'
import { CliError } from './cli-error.ts'
import { exitCodeOf } from './exit-codes.ts'
import type { Host } from './host.ts'
import { printable } from './text/printable.ts'

interface Failure {
  readonly code: string
  readonly detail: string
  readonly hint: string | null
  readonly requestId?: string | null
  readonly operationId?: string | null
}

/** Tells on stderr why a command failed: as JSON where the command line asks for JSON, else in words. */
export function reportError(host: Host, error: unknown): void {
  const failure = describe(error)
  if (host.args.includes('--json')) {
    host.stderr.write(`${JSON.stringify({ ...failure, exitCode: exitCodeOf(error) })}\n`)
    return
  }
  host.stderr.write(`error: ${printable(failure.detail)}\n`)
  if (failure.hint !== null) host.stderr.write(`hint:  ${printable(failure.hint)}\n`)
  const request = failure.requestId ? `  request ${failure.requestId}` : ''
  host.stderr.write(`code:  ${failure.code}${request}\n`)
}

function describe(error: unknown): Failure {
  if (error instanceof CliError) {
    const { code, message, hint, operationId } = error
    return { code, detail: message, hint, ...(operationId !== null && { operationId }) }
  }
  if (error instanceof HoldfastError) {
    const { code, detail, hint, requestId } = error
    return { code, detail, hint: code === 'UNAUTHENTICATED' ? KEY_HINT : hint, requestId }
  }
  const detail = error instanceof Error ? error.message : 'unknown error'
  return { code: 'INTERNAL', detail, hint: 'this is a fault of the program: please report it' }
}

const KEY_HINT =
  'give a valid API key in HOLDFAST_API_KEY, in a file named by HOLDFAST_API_KEY_FILE, or with --key-file'
