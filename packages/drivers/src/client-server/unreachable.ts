import { AppError } from '@holdfast/core'

const BY_CODE: Readonly<Record<string, (server: string) => string>> = {
  ECONNREFUSED: (server) => `nothing listens at the address of the ${server} server`,
  ENOTFOUND: (server) => `the host of the ${server} server is not known`,
  EAI_AGAIN: (server) => `the host of the ${server} server could not be looked up`,
  ETIMEDOUT: (server) => `the ${server} server did not answer in time`,
  ECONNRESET: (server) => `the connection to the ${server} server was cut`,
  EPIPE: (server) => `the connection to the ${server} server was cut`,
  EHOSTUNREACH: (server) => `there is no way to the host of the ${server} server`,
  ENETUNREACH: (server) => `there is no way to the network of the ${server} server`,
}

/**
 * TARGET_UNREACHABLE, or DATABASE_ACCESS_DENIED for a socket that this process may not use, for an error of the
 * network; null for any other. `noSocket` is the message for a path without a socket.
 */
export function networkFailure(error: unknown, server: string, noSocket: string): AppError | null {
  if (!(error instanceof Error)) return null
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // of anything but a socket these are about files
  const isConnecting = 'syscall' in error && error.syscall === 'connect'
  if (isConnecting && code === 'ENOENT') {
    return new AppError('TARGET_UNREACHABLE', noSocket, { cause: error })
  }
  if (isConnecting && code === 'EACCES') {
    return new AppError('DATABASE_ACCESS_DENIED', `this process may not connect to the ${server} server`, {
      cause: error,
    })
  }
  if (error instanceof AggregateError && BY_CODE[code] === undefined) {
    return networkFailure(error.errors[0], server, noSocket)
  }
  const message = BY_CODE[code]
  return message === undefined ? null : new AppError('TARGET_UNREACHABLE', message(server), { cause: error })
}
