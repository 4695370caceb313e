import { AppError } from '@holdfast/core'

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at the address of the PostgreSQL server',
  ENOTFOUND: 'the host of the PostgreSQL server is not known',
  EAI_AGAIN: 'the host of the PostgreSQL server could not be looked up',
  ETIMEDOUT: 'the PostgreSQL server did not answer in time',
  ECONNRESET: 'the connection to the PostgreSQL server was cut',
  EPIPE: 'the connection to the PostgreSQL server was cut',
  EHOSTUNREACH: 'there is no way to the host of the PostgreSQL server',
  ENETUNREACH: 'there is no way to the network of the PostgreSQL server',
}

/** What the client library says without a code. */
const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/^Connection terminated/, 'the connection to the PostgreSQL server was cut'],
  [
    /^Client has encountered a connection error|^Client was closed/,
    'the connection to the PostgreSQL server is gone',
  ],
  [/^timeout expired/, 'the PostgreSQL server did not answer in time'],
]

/** TARGET_UNREACHABLE for an error of the network; null for any other. */
export function unreachable(error: unknown): AppError | null {
  if (!(error instanceof Error)) return null
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // of anything but a socket these are about files
  const isConnecting = 'syscall' in error && error.syscall === 'connect'
  if (isConnecting && code === 'ENOENT') {
    return new AppError('TARGET_UNREACHABLE', 'there is no socket of a PostgreSQL server in the directory', {
      cause: error,
    })
  }
  if (isConnecting && code === 'EACCES') {
    return new AppError('DATABASE_ACCESS_DENIED', 'this process may not connect to the PostgreSQL server', {
      cause: error,
    })
  }
  if (error instanceof AggregateError && BY_CODE[code] === undefined) {
    return unreachable(error.errors[0])
  }
  const message = BY_CODE[code] ?? BY_MESSAGE.find(([pattern]) => pattern.test(error.message))?.[1]
  if (message === undefined) return null
  return new AppError('TARGET_UNREACHABLE', message, { cause: error })
}
