import { AppError } from '@holdfast/core'

/**
 * What may be said about an error of Redis or of its client: the client's own error objects carry the arguments of
 * the command that failed, and with AUTH the password among them.
 */
export function describeRedisError(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  // a refused connection is an AggregateError without a message of its own
  const [inner] = error instanceof AggregateError ? error.errors : []
  const text = error.message || (inner instanceof Error ? inner.message : error.name)
  return text.slice(0, 300)
}

/** QUEUE_UNAVAILABLE that names what was tried. */
export function queueUnavailable(what: string, error: unknown): AppError {
  return new AppError('QUEUE_UNAVAILABLE', `${what}: ${describeRedisError(error)}`, {
    hint: 'check that Redis runs and that HOLDFAST_REDIS_URL points to it',
  })
}
