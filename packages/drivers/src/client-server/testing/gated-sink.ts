import { Writable } from 'node:stream'

/** Takes the first bytes and then no more, like a full pipe, until it is opened. */
export class GatedSink extends Writable {
  readonly reached: Promise<void>
  #isOpen = false
  #waiting: (() => void) | null = null
  #onReached = () => {}

  constructor() {
    super({ highWaterMark: 16 * 1024 })
    // whoever writes hears of its end otherwise
    this.on('error', () => {})
    this.reached = new Promise((resolve) => {
      this.#onReached = resolve
    })
  }

  /** Lets everything through from now on. */
  open(): void {
    this.#isOpen = true
    this.#waiting?.()
    this.#waiting = null
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#onReached()
    if (this.#isOpen) done()
    else this.#waiting = done
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.open()
    done(error)
  }
}
