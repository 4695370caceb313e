import { Worker } from 'node:worker_threads'
import type { Logger } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { Call, FromThread, ThreadOptions, ToThread } from './protocol.ts'
import { receiveError } from './protocol.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
  readonly timer: NodeJS.Timeout
}

/** Beyond the time that a call may wait for locks: a disk that takes longer than this to sync is no disk. */
const DISK_MS = 6_000
const CLOSE_MS = 6_000
/** Loading the code of the thread, on a machine that is busy with other things. */
const START_MS = 30_000

/** One thread with the catalog open, from its start to its end. Every call is answered, at the latest by its end. */
export class CatalogThread {
  /** The catalog's id, once it is open. */
  readonly opened: Promise<string>
  readonly #worker: Worker
  readonly #waitMs: number
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #lastCall = 0
  #hasEnded = false

  constructor(options: ThreadOptions, logger: Logger | null) {
    this.#waitMs = options.waitMs
    this.#worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), {
      workerData: options,
      name: 'catalog',
      // options of the process, such as --input-type, may be wrong for a file
      execArgv: [],
    })
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
    const opening = Promise.withResolvers<string>()
    this.#worker.on('error', (error) => {
      logger?.error({ err: error }, 'catalog thread failed')
      this.#end(opening, threadGone('the thread of the catalog failed', error))
    })
    const timer = setTimeout(
      () => this.#end(opening, threadGone('opening the catalog took too long')),
      this.#limitMs() + START_MS,
    )
    this.#worker.on('message', (message: FromThread) => {
      clearTimeout(timer)
      if (message.kind === 'broken') return this.#end(opening, receiveError(message.error))
      if (message.kind !== 'opened') return this.#answered(message)
      if (message.applied.length > 0) logger?.info({ migrations: message.applied }, 'catalog migrated')
      this.#allowExit()
      opening.resolve(message.catalogId)
    })
    this.#worker.once('exit', () => {
      clearTimeout(timer)
      this.#end(opening, threadGone('the thread of the catalog ended'))
    })
    this.opened = opening.promise
    // who awaits it is told; nobody may be waiting any more
    this.opened.catch(() => {})
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Calls made while it opens are carried out as soon as it is open. */
  call(path: string, args: readonly unknown[], clocks: Pick<Call, 'nowMs' | 'leaseNowMs'>): Promise<unknown> {
    if (this.#hasEnded) return Promise.reject(threadGone('the thread of the catalog ended'))
    this.#lastCall += 1
    const id = this.#lastCall
    this.#post({ kind: 'call', call: { id, path, args, waitMs: this.#waitMs, ...clocks } })
    this.#worker.ref()
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const timer = setTimeout(
      () => this.#take(id)?.reject(threadGone('the catalog did not answer in time')),
      this.#limitMs(),
    )
    this.#waiting.set(id, { resolve, reject, timer })
    return promise
  }

  /** Lets the calls before it finish. */
  async close(): Promise<void> {
    if (this.#hasEnded) return
    this.#worker.ref()
    this.#post({ kind: 'close' })
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #limitMs(): number {
    return this.#waitMs + DISK_MS
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #answered(message: Extract<FromThread, { id: number }>): void {
    const waiting = this.#take(message.id)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(receiveError(message.error))
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return undefined
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    this.#allowExit()
    return waiting
  }

  /** An open catalog alone does not keep the process alive, an unanswered call does. */
  #allowExit(): void {
    if (this.#waiting.size === 0) this.#worker.unref()
  }

  #end(opening: PromiseWithResolvers<string>, error: Error): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    opening.reject(error)
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(error)
    void this.#worker.terminate()
  }
}

/** The error of calls that met the end of the thread. */
export function threadGone(message: string, cause?: unknown): AppError {
  return new AppError('CATALOG_UNAVAILABLE', message, {
    hint: 'what was asked may or may not have been done: look before you ask again',
    cause,
  })
}
