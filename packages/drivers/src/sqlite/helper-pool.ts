import { AppError, throwIfAborted } from '@holdfast/core'
import type { JobHooks } from './helper-conversation.ts'
import { HelperLost, HelperProcess } from './helper-process.ts'
import type { HelperJobs, JobName } from './protocol.ts'

/** Idle helpers beyond this are ended: one to work at once, one for the check that follows a dump. */
const MAX_IDLE = 2

/** A helper is replaced after so many jobs, so that nothing it may have leaked grows for ever. */
const JOBS_PER_HELPER = 500

/** Helper processes shared by all drivers of this engine; those that wait for work do not keep the owner alive. */
export class HelperPool {
  readonly #idle: HelperProcess[] = []
  readonly #all = new Set<HelperProcess>()
  readonly #jobsDone = new WeakMap<HelperProcess, number>()
  #isClosed = false

  /** Starts a helper, so that the next job need not wait for one. */
  warmUp(): void {
    if (!this.#isClosed && this.#idle.length === 0) this.#idle.push(this.#start())
  }

  /** Does one job in a helper of its own, as {@link HelperProcess} promises. */
  async run<Name extends JobName>(
    name: Name,
    input: HelperJobs[Name]['input'],
    hooks: JobHooks,
  ): Promise<HelperJobs[Name]['output']> {
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(hooks.signal)
      if (this.#isClosed) throw new AppError('CANCELLED', 'the SQLite driver is closed')
      const helper = this.#take()
      try {
        return await helper.run(name, input, hooks)
      } catch (error) {
        // one that had waited for work may be gone without our having heard of it
        if (attempt > 1 || !(error instanceof HelperLost) || error.hadBegun) throw error
      } finally {
        await this.#giveBack(helper)
      }
    }
  }

  /** Ends every helper, also those at work. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#all].map((helper) => helper.kill()))
    this.#all.clear()
    this.#idle.length = 0
  }

  #take(): HelperProcess {
    for (let helper = this.#idle.pop(); helper !== undefined; helper = this.#idle.pop()) {
      if (helper.state === 'idle') return helper
      this.#all.delete(helper)
    }
    return this.#start()
  }

  async #giveBack(helper: HelperProcess): Promise<void> {
    const jobs = (this.#jobsDone.get(helper) ?? 0) + 1
    this.#jobsDone.set(helper, jobs)
    const isWanted = !this.#isClosed && this.#idle.length < MAX_IDLE && jobs < JOBS_PER_HELPER
    if (helper.state === 'idle' && isWanted) {
      this.#idle.push(helper)
      return
    }
    this.#all.delete(helper)
    await helper.kill()
    this.warmUp()
  }

  #start(): HelperProcess {
    const helper = new HelperProcess()
    this.#all.add(helper)
    return helper
  }
}
