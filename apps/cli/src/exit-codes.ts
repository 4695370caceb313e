import { HoldfastError } from '@holdfast/client'
import { CliError } from './cli-error.ts'

/** What the exit status of `holdfast` says. docs/cli.md tells the same; a test compares the two. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unreachable: 5,
  cancelled: 6,
  conflict: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const BY_CODE: Readonly<Record<string, ExitCode>> = {
  UNREACHABLE: EXIT.unreachable,
  UNEXPECTED_ANSWER: EXIT.unreachable,
  INVALID_CONFIGURATION: EXIT.usage,
  INVALID_REQUEST: EXIT.usage,
  INVALID_CONNECTION: EXIT.usage,
  UNSUPPORTED_ENGINE: EXIT.usage,
  PATH_NOT_ALLOWED: EXIT.refused,
}

const BY_STATUS: Readonly<Record<number, ExitCode>> = {
  400: EXIT.usage,
  401: EXIT.refused,
  403: EXIT.refused,
  404: EXIT.notFound,
  409: EXIT.conflict,
  429: EXIT.conflict,
  503: EXIT.unreachable,
}

/** The status with which a command ends that failed so. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode
  if (!(error instanceof HoldfastError)) return EXIT.failed
  return BY_CODE[error.code] ?? BY_STATUS[error.status ?? 0] ?? EXIT.failed
}
