import type { ExitCode } from './exit-codes.ts'

/** What is known about a failure that the command line itself noticed. */
export interface CliErrorFields {
  readonly code: string
  readonly detail: string
  readonly exitCode: ExitCode
  readonly hint?: string | null
  /** The operation it is about, for whoever goes on with it. */
  readonly operationId?: string
}

/** A failure that ends a command. Its texts are shown as they are, so they never hold a secret. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: string
  readonly hint: string | null
  readonly exitCode: ExitCode
  readonly operationId: string | null

  constructor({ code, detail, exitCode, hint = null, operationId }: CliErrorFields) {
    super(detail)
    this.code = code
    this.hint = hint
    this.exitCode = exitCode
    this.operationId = operationId ?? null
  }
}

/** A command line that cannot be carried out as it is. */
export function usageError(detail: string, hint: string | null = null): CliError {
  return new CliError({ code: 'USAGE', detail, hint, exitCode: 2 })
}
