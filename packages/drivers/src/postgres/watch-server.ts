import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import { sqlStateOf } from './failure.ts'
import type { PostgresParts } from './postgres-parts.ts'
import type { Session } from './session.ts'
import { openSession } from './session.ts'

/** Which server is watched, and under which tag. */
export interface WatchedPlace {
  readonly database: string
  readonly applicationName: string
}

/**
 * Does work that waits for a server through others, such as a tool that may wait for ever on a connection that is
 * cut. A session beside it asks the server from time to time; when that has got no answer for too long, the signal of
 * the work is aborted, and this rejects with TARGET_UNREACHABLE.
 */
export async function whileServerAnswers<Result>(
  parts: Pick<PostgresParts, 'connection' | 'patience'>,
  place: WatchedPlace,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController()
  const silent = new AbortController()
  const watching = new ServerWatch(parts, place, done.signal).run().catch((error: unknown) => {
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
  readonly #parts: Pick<PostgresParts, 'connection' | 'patience'>
  readonly #place: WatchedPlace
  readonly #done: AbortSignal
  #session: Session | null = null
  #answeredAt = performance.now()

  constructor(parts: Pick<PostgresParts, 'connection' | 'patience'>, place: WatchedPlace, done: AbortSignal) {
    this.#parts = parts
    this.#place = place
    this.#done = done
  }

  /** Resolves when it is no longer needed; rejects when the server has been silent for too long. */
  async run(): Promise<void> {
    const { askEveryMs, silentForMs } = this.#parts.patience
    try {
      while (await this.#pause(askEveryMs)) {
        if (await this.#answers()) this.#answeredAt = performance.now()
        else if (!this.#done.aborted && performance.now() - this.#answeredAt >= silentForMs)
          throw silence(silentForMs)
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
    const { askEveryMs, silentForMs } = this.#parts.patience
    // after a stop of this very process the server gets its chance, too
    const withinMs = Math.max(askEveryMs, this.#answeredAt + silentForMs - performance.now())
    try {
      this.#session ??= await this.#open(withinMs)
      await this.#session.query('SELECT', [], { withinMs })
      return true
    } catch (error) {
      await this.#session?.close()
      this.#session = null
      // a server that refuses is there
      return sqlStateOf(error) !== null
    }
  }

  #open(withinMs: number): Promise<Session> {
    const connection = { ...this.#parts.connection, connectTimeoutMs: Math.ceil(withinMs) }
    return openSession(connection, { ...this.#place, signal: this.#done })
  }
}

function silence(ms: number): AppError {
  return new AppError(
    'TARGET_UNREACHABLE',
    `the PostgreSQL server has not answered for ${Math.round(ms / 1000)} s`,
    {
      hint: 'check the network and the load of the server',
    },
  )
}
