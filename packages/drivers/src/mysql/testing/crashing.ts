import { runAction } from '../swap/run-action.ts'

/** When work stops for good. */
export interface CrashPoint {
  /** The number of the change at which it stops; of those that it begins, from 0 on. */
  readonly at: number
  /** `during`: the change is on its way to the server, and nobody waits for the answer. */
  readonly when: 'before' | 'during' | 'after'
  /** The number of the change that fails, so that all before it is taken back. */
  readonly failAt?: number
}

/**
 * Begins work that stops in the middle and is never heard of again, like that of a process that was killed: its session
 * stays on the server with all that it holds. Resolves with what the work resolved with if it came to its end before.
 */
export async function crash<Result>(
  { at, when, failAt }: CrashPoint,
  work: (run: typeof runAction) => Promise<Result>,
): Promise<{ readonly result: Result } | 'crashed'> {
  const stopped = Promise.withResolvers<'crashed'>()
  const stop = () => {
    stopped.resolve('crashed')
    return new Promise<never>(() => {})
  }
  let begun = 0
  const run: typeof runAction = async (session, action) => {
    const number = begun
    begun += 1
    if (number === at && when === 'before') return stop()
    if (number === failAt) throw new Error('fails as it was told to')
    const done = runAction(session, action)
    if (number === at && when === 'during') {
      done.catch(() => {})
      return stop()
    }
    await done
    if (number === at) return stop()
  }
  return Promise.race([work(run).then((result) => ({ result })), stopped.promise])
}
