/** What a server answered instead of a result. */
export interface ServerError extends Error {
  readonly errno: number
  readonly sqlState: string
}

/** True for what a server said, false for what happened on the way to it. */
export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    'errno' in error &&
    typeof error.errno === 'number' &&
    error.errno > 0 &&
    'sqlState' in error &&
    typeof error.sqlState === 'string'
  )
}
