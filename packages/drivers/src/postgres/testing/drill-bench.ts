import { stat } from 'node:fs/promises'
import type { CheckReport, CheckRequest, DumpDescription } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import { checkDump } from '../check/check-dump.ts'
import type { Contents } from '../contents/contents-file.ts'
import { writeContents } from '../contents/contents-file.ts'
import type { Taken } from './dump-bench.ts'
import { DumpBench } from './dump-bench.ts'

/** Other than what a test would ask for. */
export interface CheckChange extends Partial<Omit<CheckRequest, 'dump'>> {
  readonly dump?: Partial<DumpDescription>
  readonly contents?: Partial<Contents>
  readonly patience?: Partial<Patience>
  readonly signal?: AbortSignal
}

/** Dumps and checks, with drills on the server of the dumps unless another one is named. */
export class DrillBench {
  readonly dumps: DumpBench

  constructor(dumps: DumpBench) {
    this.dumps = dumps
  }

  static async make(server: PostgresServer): Promise<DrillBench> {
    return new DrillBench(await DumpBench.make(server))
  }

  get server(): PostgresServer {
    return this.dumps.server
  }

  /** A new database with what these statements make. Returns its URL. */
  async database(sql: string, name?: string): Promise<string> {
    const url = await this.server.createDatabase(name)
    await this.run(url, sql)
    return url
  }

  async run(url: string, sql: string): Promise<void> {
    await this.server.sql(decodeURIComponent(new URL(url).pathname.slice(1)), sql)
  }

  /** The dump of a new database with what these statements make. */
  async dumpOf(sql: string, format = 'custom'): Promise<Taken> {
    return this.dumps.dump(await this.database(sql), { format })
  }

  check(taken: Taken, change: CheckChange = {}): Promise<CheckReport> {
    const { patience, signal = never, onProgress = () => {}, ...asked } = change
    const { connection: _, ...parts } = this.dumps.parts(this.server.url, patience)
    return checkDump(parts, { ...this.request(taken, asked), onProgress }, signal)
  }

  /** What a worker asks of the driver. */
  request(taken: Taken, change: CheckChange = {}): Omit<CheckRequest, 'onProgress'> {
    const { dump, contents, ...asked } = change
    return {
      operationId: this.dumps.newOperationId(),
      file: taken.file,
      depth: 'full',
      scratchUrl: this.server.url,
      ...asked,
      dump: { ...describe(taken, contents), ...dump },
    }
  }

  /** The same for a dump that was changed in its file since: the size is what it has now. */
  async checkChanged(taken: Taken, change: CheckChange = {}): Promise<CheckReport> {
    const { size: sizeBytes } = await stat(taken.file)
    return this.check(taken, { ...change, dump: { sizeBytes, ...change.dump } })
  }

  /** Databases with one of our names, on this server or on another one. */
  async own(server = this.server): Promise<readonly string[]> {
    const rows = await server.sql('postgres', `SELECT datname FROM pg_database WHERE datname ~ '^holdfast_'`)
    return rows.map((row) => String(row.datname))
  }

  async remove(): Promise<void> {
    await this.dumps.remove()
  }
}

function describe({ format, summary, contents }: Taken, change: Partial<Contents> = {}): DumpDescription {
  const attachments = summary.attachments.filter(({ role }) => role !== 'contents')
  return {
    ...summary,
    mode: 'full',
    format,
    attachments: [...attachments, writeContents({ ...contents, ...change })],
  }
}
