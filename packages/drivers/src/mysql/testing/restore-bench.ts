import { createReadStream } from 'node:fs'
import { readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { DumpDescription, RestoreOptions, StageRequest } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { allow, never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import type { Contents } from '../contents/contents-file.ts'
import { writeContents } from '../contents/contents-file.ts'
import { ownName } from '../own-names.ts'
import { preflight } from '../restore/preflight.ts'
import { stage } from '../restore/stage.ts'
import { swap } from '../swap/swap.ts'
import type { Taken } from './dump-bench.ts'
import { DumpBench, schemaOf } from './dump-bench.ts'

/** Other than what a test would ask for. */
export interface StageChange {
  readonly operationId?: string
  readonly options?: Partial<RestoreOptions>
  readonly contents?: Partial<Contents>
  readonly patience?: Partial<Patience>
  readonly signal?: AbortSignal
  readonly source?: Readable
}

const KEPT: RestoreOptions = { keepOwners: true, definer: null }

/** Restores of dumps into shadows, on the server of the dumps unless another one is named. */
export class RestoreBench {
  readonly dumps: DumpBench
  readonly server: MariadbServer

  constructor(dumps: DumpBench) {
    this.dumps = dumps
    this.server = dumps.server
  }

  static async make(server: MariadbServer): Promise<RestoreBench> {
    return new RestoreBench(await DumpBench.make(server))
  }

  /** A new schema with what these statements make. Returns its URL. */
  async database(sql: string, name?: string): Promise<string> {
    const url = await this.server.createDatabase(name)
    await this.server.sql(schemaOf(url), sql)
    return url
  }

  /** The dump of a new schema with what these statements make. */
  async dumpOf(sql: string): Promise<Taken> {
    return this.dumps.dump(await this.database(sql))
  }

  /** A dump with another text, and a size that fits: as if somebody had made it so. */
  async changed(taken: Taken, change: (text: string) => string): Promise<Taken> {
    const directory = await this.dumps.makeDirectory('changed')
    const file = `${directory}/dump.sql`
    const text = Buffer.from(change(await readFile(taken.file, 'latin1')), 'latin1')
    await writeFile(file, text)
    return { ...taken, file, summary: { ...taken.summary, sizeBytes: text.length } }
  }

  /** Brings a dump next to a schema. Returns the name of the shadow. */
  async stage(taken: Taken, url: string, change: StageChange = {}): Promise<string> {
    const { operationId = this.dumps.newOperationId() } = change
    await this.ticket(taken, url, { ...change, operationId })
    return ownName('new', operationId)
  }

  /** Restores a dump in the place of a schema. */
  async restore(taken: Taken, url: string, change: StageChange = {}): Promise<void> {
    await swap(this.dumps.parts(url), await this.ticket(taken, url, change), allow, never)
  }

  /** The ticket of a dump that was brought next to a schema; rejects also if it left a file behind. */
  async ticket(taken: Taken, url: string, change: StageChange = {}): Promise<string> {
    const { operationId = this.dumps.newOperationId(), options = {}, patience, signal = never } = change
    const scratchDir = await this.dumps.makeDirectory('stage')
    const dump = describe(taken, change.contents)
    const request: StageRequest = {
      ...{ operationId, dump, scratchDir, onProgress: () => {} },
      options: { ...KEPT, ...options },
    }
    try {
      const source = change.source ?? createReadStream(taken.file)
      return await stage(this.dumps.parts(url, patience), request, source, signal)
    } finally {
      await rm(join(scratchDir, 'dump'), { force: true })
      // which an empty directory alone can be
      await rmdir(scratchDir)
    }
  }

  preflight(taken: Taken, url: string, change: StageChange = {}) {
    const options = { ...KEPT, ...change.options }
    return preflight(this.dumps.parts(url), describe(taken, change.contents), options, never)
  }

  /** Schemas with one of our names. */
  async own(server = this.server): Promise<readonly string[]> {
    const rows = await server.sql(null, "SHOW DATABASES LIKE 'holdfast\\_%'")
    return rows.map((row) => String(Object.values(row)[0]))
  }

  /** Waits until a client loads: until it works on a statement like this one. Returns its id on the server. */
  async untilLoading(statement: string): Promise<number> {
    for (let left = 1_000; left > 0; left -= 1) {
      const [row] = await this.server.sql(
        null,
        `SELECT id FROM information_schema.processlist WHERE db LIKE 'holdfast\\_%' AND info LIKE ? AND id <> CONNECTION_ID()`,
        [statement],
      )
      if (row !== undefined) return Number(row.id)
      await delay(10)
    }
    throw new Error('nothing has begun to load')
  }

  async dropOwn(): Promise<void> {
    for (const name of await this.own()) await this.server.sql(null, `DROP DATABASE ${name}`)
  }

  remove(): Promise<void> {
    return this.dumps.remove()
  }
}

/** What a worker knows of a dump that was taken. */
export function describe({ summary, contents }: Taken, change: Partial<Contents> = {}): DumpDescription {
  const others = summary.attachments.filter(({ role }) => role !== 'contents')
  const attachments = [...others, writeContents({ ...contents, ...change })]
  return { ...summary, mode: 'full', format: 'plain', attachments }
}
