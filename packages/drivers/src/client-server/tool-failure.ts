import type { ErrorCode, ToolExit } from '@holdfast/core'
import { AppError, hasCode, ToolFailure } from '@holdfast/core'

/** What a message means for an operator. */
export interface Meaning {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly retryable?: boolean
}

/** How an engine reads what its programs print: kinds and names of objects at most, never SQL and never data. */
export interface ToolOutput {
  /** Null if nothing in it is known. */
  meaningOf(printed: string): Meaning | null
  /** The object that it is about, quoted; null if it names none. */
  objectIn(printed: string): string | null
  /** What of it may be in a log. */
  withoutData(printed: string): string
}

/**
 * The best reason that is known for a tool's end. `what` begins the message, e.g. `pg_dump`; its `cause`, for the log,
 * has no SQL and no data either.
 */
export function toolFailureOf(error: unknown, what: string, output: ToolOutput): AppError {
  if (error instanceof AppError && !hasCode(error, 'TOOL_FAILED')) return error
  const failure = error instanceof AppError ? error.cause : error
  if (!(failure instanceof ToolFailure)) {
    return error instanceof AppError ? error : new AppError('TOOL_FAILED', `${what} failed`, { cause: error })
  }
  const { exit } = failure
  const meaning = output.meaningOf(exit.stderrTail) ?? { code: 'TOOL_FAILED', message: ending(exit) }
  const { code, message, ...options } = meaning
  const object = output.objectIn(exit.stderrTail)
  const where = object === null || message.includes(object) ? '' : ` (at ${object})`
  return new AppError(code, `${what}: ${message}${where}`, {
    ...options,
    cause: new ToolFailure({ ...exit, stderrTail: output.withoutData(exit.stderrTail) }),
  })
}

function ending({ code, killedBy }: ToolExit): string {
  return code === null ? `was ended by ${killedBy}` : `exited with ${code}`
}
