import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'

/** How a server is asked whether it is still there. */
export interface WatchedServer {
  /** `PostgreSQL` in `the PostgreSQL server has not answered for 60 s`. */
  readonly product: string
  /** How often it is asked. */
  readonly askEveryMs: number
  /** How long it may leave that unanswered. */
  readonly silentForMs: number
  open(withinMs: number, signal: AbortSignal): Promise<AskedSession>
  /** True for what the server itself said: one that refuses is there. */
  isAnswer(error: unknown): boolean
}

/** A session that is only there to ask. */
export interface AskedSession {
  ask(withinMs: number): Promise<unknown>
  close(): Promise<void>
}

/**
 * Does work that waits for a server through others, such as a tool that may wait for ever on a connection that is
 * cut. A session beside it asks the server from time to time; when that has got no answer for too long, the signal of
 * the work is aborted, and this rejects with TARGET_UNREACHABLE.
 */
export async function whileAnswering<Result>(
  server: WatchedServer,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController()
  const silent = new AbortController()
  const watching = new ServerWatch(server, done.signal).run().catch((error: unknown) => {
    silent.abort(error)
  })
  try {
    return await work(AbortSignal.any([signal, silent.signal]))
  } catch (error) {
    // whatever the work ran into, this was why
    throw silent.signal.aborted ? silent.signal.reason : error
  } finally {
    done.abort()
    await watching
  }
}

class ServerWatch {
  readonly #server: WatchedServer
  readonly #done: AbortSignal
  #session: AskedSession | null = null
  #answeredAt = performance.now()

  constructor(server: WatchedServer, done: AbortSignal) {
    this.#server = server
    this.#done = done
  }

  /** Resolves when it is no longer needed; rejects when the server has been silent for too long. */
  async run(): Promise<void> {
    const { askEveryMs, silentForMs, product } = this.#server
    try {
      while (await this.#pause(askEveryMs)) {
        if (await this.#answers()) this.#answeredAt = performance.now()
        else if (!this.#done.aborted && performance.now() - this.#answeredAt >= silentForMs)
          throw silence(product, silentForMs)
      }
    } finally {
      await this.#session?.close()
    }
  }

  async #pause(ms: number): Promise<boolean> {
    try {
      await delay(ms, undefined, { signal: this.#done })
      return true
    } catch {
      return false
    }
  }

  async #answers(): Promise<boolean> {
    const { askEveryMs, silentForMs } = this.#server
    // after a stop of this very process the server gets its chance, too
    const withinMs = Math.max(askEveryMs, this.#answeredAt + silentForMs - performance.now())
    try {
      this.#session ??= await this.#server.open(withinMs, this.#done)
      await this.#session.ask(withinMs)
      return true
    } catch (error) {
      await this.#session?.close()
      this.#session = null
      return this.#server.isAnswer(error)
    }
  }
}

function silence(product: string, ms: number): AppError {
  return new AppError(
    'TARGET_UNREACHABLE',
    `the ${product} server has not answered for ${Math.round(ms / 1000)} s`,
    {
      hint: 'check the network and the load of the server',
    },
  )
}
