import type { ChildProcess } from 'node:child_process'
import { AppError, cancellation } from '@holdfast/core'
import type { FromHelper, HelperFailureShape, ToHelper } from './protocol.ts'

/** What the driver does while a helper works for it. */
export interface JobHooks {
  /** Ends the work, unless the change that `confirm` allowed is under way: that is carried to its end. */
  readonly signal: AbortSignal
  readonly onProgress?: (bytes: number, totalBytes: number) => void
  /** Asked before the one change that a job makes. Its rejection ends the job and is what the job rejects with. */
  readonly confirm?: () => Promise<void>
  /** The longest that opening the file may take. */
  readonly openWithinMs: number
}

/** How one job ended, and whether its helper is free again or has to be killed. */
export type Ending =
  | { readonly kind: 'done'; readonly output: unknown; readonly isReusable: boolean }
  | { readonly kind: 'failed'; readonly error: unknown; readonly isReusable: boolean }
  | { readonly kind: 'lost'; readonly hadBegun: boolean }

/** Hands a job to a helper and answers its questions until it is over. Never rejects. */
export function converse(child: ChildProcess, job: ToHelper, hooks: JobHooks): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>()
  const conversation = new Conversation(child, hooks, resolve)
  conversation.begin(job)
  return promise.finally(() => conversation.leave())
}

class Conversation {
  readonly #child: ChildProcess
  readonly #hooks: JobHooks
  readonly #end: (ending: Ending) => void
  readonly #openTimer: NodeJS.Timeout
  #isConfirmed = false
  #hadBegun = false
  #refusal: { readonly error: unknown } | null = null

  constructor(child: ChildProcess, hooks: JobHooks, end: (ending: Ending) => void) {
    this.#child = child
    this.#hooks = hooks
    this.#end = end
    this.#openTimer = setTimeout(this.#onSilence, hooks.openWithinMs)
  }

  begin(job: ToHelper): void {
    const { signal } = this.#hooks
    signal.addEventListener('abort', this.#onAbort)
    this.#child.on('message', this.#onMessage)
    this.#child.once('exit', this.#onExit)
    this.#child.once('error', this.#onExit)
    this.#tell(job)
  }

  leave(): void {
    clearTimeout(this.#openTimer)
    this.#hooks.signal.removeEventListener('abort', this.#onAbort)
    this.#child.off('message', this.#onMessage)
    this.#child.off('exit', this.#onExit)
    this.#child.off('error', this.#onExit)
  }

  // the only sender is a helper of this very release
  #onMessage = (message: unknown): void => this.#hear(message as FromHelper)

  #onExit = (): void => this.#end({ kind: 'lost', hadBegun: this.#hadBegun })

  #onAbort = (): void => {
    if (!this.#isConfirmed) this.#fail(cancellation(this.#hooks.signal))
  }

  #onSilence = (): void =>
    this.#fail(
      new AppError('TARGET_UNREACHABLE', 'the file system did not answer in time', {
        hint: 'look whether the disk or the network file system that holds the database still answers',
      }),
    )

  #hear(message: FromHelper): void {
    this.#hadBegun = true
    switch (message.type) {
      case 'opened':
        clearTimeout(this.#openTimer)
        break
      case 'progress':
        this.#hooks.onProgress?.(message.bytes, message.totalBytes)
        break
      case 'confirm':
        void this.#askForConsent()
        break
      case 'done':
        this.#done(message.output, !message.retire)
        break
      case 'failed':
        this.#fail(asAppError(message.failure), true)
        break
      case 'broken':
        this.#fail(new Error(`the SQLite helper failed: ${message.text}`))
        break
    }
  }

  async #askForConsent(): Promise<void> {
    try {
      await this.#hooks.confirm?.()
      this.#isConfirmed = true
      this.#tell({ type: 'confirmed' })
    } catch (error) {
      this.#refusal = { error }
      this.#tell({ type: 'refused' })
    }
  }

  #tell(message: ToHelper): void {
    this.#child.send(message, (error) => {
      if (error !== null) this.#onExit()
    })
  }

  #done(output: unknown, isReusable: boolean): void {
    if (this.#refusal === null) this.#end({ kind: 'done', output, isReusable })
    else this.#fail(this.#refusal.error, isReusable)
  }

  #fail(error: unknown, isReusable = false): void {
    this.#end({ kind: 'failed', error, isReusable })
  }
}

function asAppError({ code, message, hint }: HelperFailureShape): AppError {
  return new AppError(code, message, hint === null ? {} : { hint })
}
