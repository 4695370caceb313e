const DEEPEST_CAUSE = 4

/** An error as it may be logged: without the fields that libraries add, which may quote what they were given. */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const hasCause = error.cause !== undefined && depth < DEEPEST_CAUSE
  const cause = hasCause ? { cause: describeError(error.cause, depth + 1) } : {}
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause }
}
