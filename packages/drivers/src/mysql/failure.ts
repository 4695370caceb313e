import { AppError } from '@holdfast/core'
import type { Meaning } from '../client-server/tool-failure.ts'
import { networkFailure } from '../client-server/unreachable.ts'
import { meaningOf } from './known-messages.ts'
import { meaningOfRows } from './row-messages.ts'
import type { ServerError } from './server-error.ts'
import { isServerError } from './server-error.ts'

export { failureOfTool } from './tool-failure.ts'

/** Errors after which a server closes the connection. */
const LAST_WORDS = [1053, 1079, 1152, 1184, 1927, 3169, 4031]

/** What the client library calls it when a connection ends. */
const CUT = 'PROTOCOL_CONNECTION_LOST'
/** What it calls a method of logging in that it does not know, or would not use. */
const METHODS = ['AUTH_SWITCH_PLUGIN_ERROR', 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED']
const METHOD_NOT_SUPPORTED = 2059

/** What a server said, as far as a log may have it: a message of which only the number is known could quote rows. */
export class ServerRefusal extends Error {
  readonly errno: number

  constructor({ errno, sqlState, message }: ServerError, known: boolean) {
    super(`error ${errno} (${sqlState})${known ? `: ${message.slice(0, 500)}` : ''}`)
    this.name = 'ServerRefusal'
    this.errno = errno
  }
}

/**
 * What a server or a connection answered, as an {@link AppError}; whatever was not foreseen comes back as it is. The
 * message has numbers and names, never values.
 */
export function toFailureOf(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (isServerError(error)) return refusal(error)
  return (
    networkFailure(error, 'MySQL', 'there is no socket of a MySQL server at the path') ?? ofLibrary(error)
  )
}

/** The number of the server's error behind a failure, or null if no server said it. */
export function errnoOf(error: unknown): number | null {
  if (error instanceof ServerRefusal || isServerError(error)) return error.errno
  return error instanceof AppError && error.cause !== undefined ? errnoOf(error.cause) : null
}

/** True if nothing more can be asked after this. */
export function endsConnection(error: unknown): boolean {
  if (isServerError(error)) return LAST_WORDS.includes(error.errno)
  return isLast(error)
}

function refusal(error: ServerError): AppError {
  const meaning = meaningOf(error.errno, error.message)
  const cause = new ServerRefusal(error, meaning !== null)
  const unknown = () => new AppError('TOOL_FAILED', `MySQL refused with error ${error.errno}`, { cause })
  return asFailure(meaning ?? meaningOfRows(error.errno, error.message), cause) ?? unknown()
}

function asFailure(meaning: Meaning | null, cause: Error): AppError | null {
  if (meaning === null) return null
  const { code, message, ...options } = meaning
  return new AppError(code, message, { ...options, cause })
}

/** What the client library says without a number of a server. */
function ofLibrary(error: unknown): unknown {
  if (!isLast(error)) return error
  const code = 'code' in error ? String(error.code) : ''
  // as a new one: errors of the library may carry the statement
  const cause = new Error(`${code} ${error.message}`.trim())
  if (METHODS.includes(code)) return asFailure(meaningOf(METHOD_NOT_SUPPORTED, ''), cause) ?? error
  const message =
    code === CUT
      ? 'the connection to the MySQL server was cut'
      : 'the server answered with something else than the protocol of MySQL'
  return new AppError('TARGET_UNREACHABLE', message, { cause })
}

function isLast(error: unknown): error is Error {
  return error instanceof Error && 'fatal' in error && error.fatal === true
}
