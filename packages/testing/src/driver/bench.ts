import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseDriver, DriverFactory, DumpSink, DumpSummary, StageTicket } from '@holdfast/core'
import { sha256Hex } from '../sources.ts'
import type { DriverPlace, DriverSubject } from './subject.ts'

export const never = new AbortController().signal

/** A dump that was taken, lying in a file. */
export interface TakenDump {
  readonly file: string
  readonly summary: DumpSummary
}

/** One test's factory, place and shorthand for what every test does. */
export class DriverBench {
  readonly factory: DriverFactory
  readonly place: DriverPlace
  #operations = 0

  constructor(factory: DriverFactory, place: DriverPlace) {
    this.factory = factory
    this.place = place
  }

  driver(url: string): DatabaseDriver {
    return this.factory.create(url, this.place.context)
  }

  /** An empty private directory with a free name in it, as a worker gives it to a driver. */
  async sink(): Promise<{ readonly sink: DumpSink; readonly file: string; readonly directory: string }> {
    const directory = await mkdtemp(join(this.place.context.scratchDir, 'work-'))
    const file = join(directory, 'dump')
    const stream = () => {
      throw new Error('the suite offers a file; an engine that streams needs the streaming half of it')
    }
    return { directory, file, sink: { file: () => file, stream } }
  }

  async dump(url: string): Promise<TakenDump> {
    const { sink, file } = await this.sink()
    const summary = await this.driver(url).dump({ mode: 'full', sink, onProgress: () => {} }, never)
    return { file, summary }
  }

  newOperationId(): string {
    this.#operations += 1
    return `00000000-0000-7000-8000-${String(this.#operations).padStart(12, '0')}`
  }

  /** Stages a dump at a destination. */
  async stage(dump: TakenDump, url: string, operationId = this.newOperationId()): Promise<StageTicket> {
    const { format, sizeBytes } = dump.summary
    const request = { operationId, mode: 'full', format, sizeBytes, onProgress: () => {} } as const
    return this.driver(url).stage(request, createReadStream(dump.file), never)
  }

  /** Stages and swaps. */
  async restore(dump: TakenDump, url: string) {
    return this.driver(url).swap(await this.stage(dump, url), allow, never)
  }
}

/** A caller that always agrees. */
export async function allow(): Promise<void> {}

/** The engine under test. Its factory is shared by all tests that do not close it. */
export class DriverSuite {
  readonly subject: DriverSubject
  readonly #shared: DriverFactory

  constructor(subject: DriverSubject) {
    this.subject = subject
    this.#shared = subject.open()
  }

  /** Runs one test at a place of its own. */
  async onBench(test: (bench: DriverBench) => Promise<void>): Promise<void> {
    const place = await this.subject.makePlace()
    try {
      await test(new DriverBench(this.#shared, place))
    } finally {
      await place.remove()
    }
  }

  /** Runs one test with a factory of its own, closed afterwards. */
  async onOwnFactory(test: (bench: DriverBench) => Promise<void>): Promise<void> {
    const factory = this.subject.open()
    try {
      await this.onBench((bench) => test(new DriverBench(factory, bench.place)))
    } finally {
      await factory.close()
    }
  }

  close(): Promise<void> {
    return this.#shared.close()
  }
}

/** Names below a directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory, { recursive: true })).toSorted()
}

/** Size and SHA-256 of a file. */
export async function measure(
  file: string,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  return { sizeBytes: (await stat(file)).size, sha256: sha256Hex(await readFile(file)) }
}
