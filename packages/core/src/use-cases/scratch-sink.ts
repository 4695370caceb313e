import type { Writable } from 'node:stream'
import { PassThrough } from 'node:stream'
import type { DumpSink } from '../ports/driver.ts'

/** A dump fills a file in scratch space, or flows on as it comes: whichever its driver asks for. */
export class ScratchSink implements DumpSink {
  readonly path: string
  readonly streamed: PassThrough
  readonly chosen: Promise<'stream' | 'file'>
  #choose: (way: 'stream' | 'file') => void = () => {}

  constructor(path: string) {
    this.path = path
    this.streamed = new PassThrough()
    this.chosen = new Promise((resolve) => {
      this.#choose = resolve
    })
  }

  stream(): Writable {
    this.#choose('stream')
    return this.streamed
  }

  file(): string {
    this.#choose('file')
    return this.path
  }
}
