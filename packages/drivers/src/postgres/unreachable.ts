import { AppError } from '@holdfast/core'
import { networkFailure } from '../client-server/unreachable.ts'

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
  const noSocket = 'there is no socket of a PostgreSQL server in the directory'
  const failure = networkFailure(error, 'PostgreSQL', noSocket)
  if (failure !== null || !(error instanceof Error)) return failure
  const message = BY_MESSAGE.find(([pattern]) => pattern.test(error.message))?.[1]
  return message === undefined ? null : new AppError('TARGET_UNREACHABLE', message, { cause: error })
}
