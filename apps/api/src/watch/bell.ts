/** Wakes whoever waits, and remembers a ring that nobody was waiting for. */
export class Bell {
  #rung = false
  #wake: (() => void) | null = null

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, after this time, or when the signal is aborted; at once if it rang meanwhile. */
  async wait(timeMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted && timeMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, timeMs)
        this.#wake = done
        signal.addEventListener('abort', done, { once: true })
        function done() {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          resolve()
        }
      })
      this.#wake = null
    }
    this.#rung = false
  }
}
