/**
 * Runs tasks that need each other. The first failure aborts the signal of all, and is thrown once every one of them
 * has come to its end: nothing goes on in the background.
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
    group.abort(error)
    await Promise.allSettled(tasks)
    throw error
  }
}
