import { AppError } from '@holdfast/core'
import { networkFailure } from '../client-server/unreachable.ts'
import { meaningOf } from './known-messages.ts'
import type { ServerError } from './server-error.ts'
import { isServerError } from './server-error.ts'

export { failureOfTool } from './tool-failure.ts'

/** Errors after which a server closes the connection. */
const LAST_WORDS = [1053, 1079, 1152, 1184, 1927, 3169, 4031]

/** What the client library says without a number of a server. */
const OF_LIBRARY: Readonly<Record<string, string>> = {
  PROTOCOL_CONNECTION_LOST: 'the connection to the MySQL server was cut',
  PROTOCOL_PACKETS_OUT_OF_ORDER: 'the MySQL server answered with something else than the protocol of MySQL',
  PROTOCOL_UNEXPECTED_PACKET: 'the MySQL server answered with something else than the protocol of MySQL',
  HANDSHAKE_UNKNOWN_ERROR: 'the MySQL server answered with something else than the protocol of MySQL',
}

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
  return error instanceof Error && 'fatal' in error && error.fatal === true
}

function refusal(error: ServerError): AppError {
  const meaning = meaningOf(error.errno, error.message)
  const cause = new ServerRefusal(error, meaning !== null)
  if (meaning === null)
    return new AppError('TOOL_FAILED', `MySQL refused with error ${error.errno}`, { cause })
  const { code, message, ...options } = meaning
  return new AppError(code, message, { ...options, cause })
}

function ofLibrary(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (error.code === 'AUTH_SWITCH_PLUGIN_ERROR' || error.code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') {
    const meaning = meaningOf(2059, '')
    if (meaning === null) return error
    return new AppError(meaning.code, meaning.message, { ...meaning, cause: error })
  }
  const message = OF_LIBRARY[String(error.code)]
  return message === undefined ? error : new AppError('TARGET_UNREACHABLE', message, { cause: error })
}
