/**
 * Runs tasks that need each other. The first failure aborts the signal of all, and what caused it is thrown once every
 * one of them has come to its end: nothing goes on in the background.
 */
export async function together<Results extends readonly unknown[]>(
  signal: AbortSignal,
  start: (both: AbortSignal) => readonly [...{ [Index in keyof Results]: Promise<Results[Index]> }],
): Promise<Results> {
  const group = new AbortController()
  const tasks = start(AbortSignal.any([signal, group.signal]))
  try {
    return await Promise.all(tasks)
  } catch (error) {
    const reason = reasonOf(error)
    group.abort(reason)
    await Promise.allSettled(tasks)
    throw reason
  }
}

/** A task whose other end was given up fails with an AbortError, often sooner than the one that had the reason. */
function reasonOf(error: unknown): unknown {
  const isConsequence = error instanceof Error && error.name === 'AbortError' && error.cause instanceof Error
  return isConsequence ? reasonOf(error.cause) : error
}
