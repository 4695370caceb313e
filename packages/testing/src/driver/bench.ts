import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type {
  CheckDepth,
  DatabaseDriver,
  DriverFactory,
  DumpDescription,
  DumpRequest,
  DumpSink,
  DumpSummary,
  StageRequest,
  StageTicket,
} from '@holdfast/core'
import { sha256Hex } from '../sources.ts'
import type { DriverPlace, DriverSubject } from './subject.ts'

export const never = new AbortController().signal

/** A dump that was taken, lying in a file. */
export interface TakenDump {
  readonly file: string
  readonly summary: DumpSummary
  readonly description: DumpDescription
}

/** A free name in a private directory, as a worker gives it to a driver. */
export interface BenchSink {
  readonly sink: DumpSink
  readonly file: string
  readonly directory: string
  readonly scratchDir: string
  /** Where the dump lies in the end: in the file, or where its stream went. */
  chosen(): string
  /** Rejects if anything was left in it. */
  remove(): Promise<void>
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
  async sink(): Promise<BenchSink> {
    const { scratchDir: parent } = this.place.context
    const directory = await mkdtemp(join(parent, 'work-'))
    const file = join(directory, 'dump')
    const streamed = join(await mkdtemp(join(parent, 'streamed-')), 'dump')
    let chosen = file
    const stream = () => {
      chosen = streamed
      return createWriteStream(streamed)
    }
    const scratchDir = await mkdtemp(join(parent, 'driver-'))
    // an empty directory alone can be removed so: what a driver left behind is found by this
    const remove = async () => {
      for (const made of [directory, dirname(streamed), scratchDir]) await rmdir(made)
    }
    return { directory, file, scratchDir, chosen: () => chosen, remove, sink: { file: () => file, stream } }
  }

  /** What a worker asks of a driver, with the default format. */
  dumpRequest({ sink, scratchDir }: BenchSink, change: Partial<DumpRequest> = {}): DumpRequest {
    const { name: format } = this.factory.formats[0]
    const wanted = { mode: 'full', format, counting: 'exact', globals: 'none', filter: null } as const
    return {
      ...wanted,
      operationId: this.newOperationId(),
      sink,
      scratchDir,
      onProgress: () => {},
      ...change,
    }
  }

  async dump(url: string, change: Partial<DumpRequest> = {}): Promise<TakenDump> {
    const place = await this.sink()
    const request = this.dumpRequest(place, change)
    const summary = await this.driver(url).dump(request, never)
    const description = { ...summary, mode: request.mode, format: request.format }
    return { file: place.chosen(), summary, description }
  }

  newOperationId(): string {
    this.#operations += 1
    return `00000000-0000-7000-8000-${String(this.#operations).padStart(12, '0')}`
  }

  /** Stages a dump at a destination. */
  async stage(dump: TakenDump, url: string, operationId = this.newOperationId()): Promise<StageTicket> {
    const request = await this.stageRequest(dump, { operationId })
    return this.driver(url).stage(request, createReadStream(dump.file), never)
  }

  async stageRequest(dump: TakenDump, change: Partial<StageRequest> = {}): Promise<StageRequest> {
    const scratchDir = await mkdtemp(join(this.place.context.scratchDir, 'stage-'))
    const options = { keepOwners: true, definer: null }
    const operationId = this.newOperationId()
    return { operationId, dump: dump.description, options, scratchDir, onProgress: () => {}, ...change }
  }

  check({ file, description }: Pick<TakenDump, 'file' | 'description'>, depth: CheckDepth) {
    const scratchUrl = this.place.scratchUrl
    const request = { operationId: this.newOperationId(), file, depth, dump: description, scratchUrl }
    return this.factory.check({ ...request, onProgress: () => {} }, this.place.context, never)
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
