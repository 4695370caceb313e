import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { Attachment, DumpRequest, DumpSummary } from '@holdfast/core'
import type { PostgresServer, TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { DatabaseContents } from '../contents/count-database.ts'
import { countDatabase } from '../contents/count-database.ts'
import { quoted } from '../contents/table-names.ts'
import { dumpDatabase } from '../dump/dump-database.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { openSession } from '../session.ts'

/** A dump that was taken, lying in a file. */
export interface Taken {
  readonly file: string
  readonly format: string
  readonly summary: DumpSummary
  readonly contents: Contents
}

/** Other than what a test would ask for. */
export interface DumpChange extends Partial<DumpRequest> {
  readonly patience?: Partial<Patience>
  readonly signal?: AbortSignal
  /** In place of a file. */
  readonly into?: Writable
}

/** Patience for servers of which tests make the worst. */
const IMPATIENT: Patience = { ...DEFAULT_PATIENCE, askEveryMs: 200, silentForMs: 1_500, tidyWithinMs: 1_500 }

/** Dumps of the databases of one server, restored with PostgreSQL's own programs alone. */
export class DumpBench {
  readonly server: PostgresServer
  readonly toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  readonly #directory: TemporaryDirectory
  #operations = 0

  constructor(server: PostgresServer, directory: TemporaryDirectory) {
    this.server = server
    this.#directory = directory
  }

  static async make(server: PostgresServer): Promise<DumpBench> {
    return new DumpBench(server, await makeTemporaryDirectory('postgres-dump'))
  }

  remove(): Promise<void> {
    return this.#directory.remove()
  }

  parts(url: string, patience: Partial<Patience> = {}): PostgresParts {
    const context = { pathRoots: [], scratchDir: this.#directory.path, now: () => Date.now() }
    const connection = parsePostgresUrl(url)
    return { connection, context, patience: { ...IMPATIENT, ...patience }, toolbox: this.toolbox }
  }

  newOperationId(): string {
    this.#operations += 1
    return `00000000-0000-7000-8000-${String(process.pid % 1e5).padStart(5, '0')}${String(this.#operations).padStart(7, '0')}`
  }

  /** Dumps a database; rejects also if anything was left in scratch space. */
  async dump(url: string, change: DumpChange = {}): Promise<Taken> {
    const { patience, signal = never, into, ...asked } = change
    const directory = await mkdtemp(join(this.#directory.path, 'dump-'))
    const [file, scratchDir] = [join(directory, 'dump'), join(directory, 'scratch')]
    await mkdir(scratchDir)
    const request: DumpRequest = {
      ...{ mode: 'full', format: 'custom', counting: 'exact', globals: 'none', filter: null, scratchDir },
      operationId: this.newOperationId(),
      sink: { stream: () => into ?? createWriteStream(file), file: () => file },
      onProgress: () => {},
      ...asked,
    }
    try {
      const summary = await dumpDatabase(this.parts(url, patience), request, signal)
      return { file, format: request.format, summary, contents: readContents(summary.attachments) }
    } finally {
      // which an empty directory alone can be
      await rmdir(scratchDir)
    }
  }

  /** Loads a dump into a new database made as the source was. Returns its URL. */
  async restore(
    { file, format, summary, contents }: Taken,
    on: PostgresServer = this.server,
  ): Promise<string> {
    const { encoding, collate, ctype } = contents.database
    const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE '${collate}' LC_CTYPE '${ctype}'`
    const url = await on.createDatabase(undefined, options)
    const { pgRestore } = await this.toolbox.toolsFor(0)
    if (format === 'plain') await this.psql(url, ['-f', file])
    else if (format === 'directory') {
      const unpacked = `${file}.d`
      await mkdir(unpacked)
      await promisify(execFile)('tar', ['-xf', file, '-C', unpacked])
      await this.run(pgRestore, url, ['--exit-on-error', '--jobs=2', unpacked])
    } else await this.run(pgRestore, url, ['--exit-on-error', file])
    await this.applySettings(url, summary.attachments)
    return url
  }

  async applySettings(url: string, attachments: readonly Attachment[]): Promise<void> {
    const database = databaseOf(url)
    const script = await this.write(contentOf(attachments, 'settings'))
    const maintenance = new URL(url)
    maintenance.pathname = '/postgres'
    await this.psql(maintenance.href, ['-v', `database=${database}`, '-f', script])
  }

  async write(content: string): Promise<string> {
    const file = join(await mkdtemp(join(this.#directory.path, 'text-')), 'script')
    await writeFile(file, content)
    return file
  }

  async psql(url: string, args: readonly string[]): Promise<string> {
    const { psql } = await this.toolbox.toolsFor(0)
    return await this.run(psql, url, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...args])
  }

  /** Runs a program of PostgreSQL on a database. Returns what it printed. */
  async run(program: string, url: string, args: readonly string[]): Promise<string> {
    const connection = parsePostgresUrl(url)
    const place = ['-w', '-d', conninfoOf(connection, databaseOf(url), 'tests')]
    const env = { ...toolEnvironment(connection), LC_ALL: 'C', PATH: '/usr/bin:/bin' }
    const { stdout } = await promisify(execFile)(program, [...place, ...args], { env, maxBuffer: 1e8 })
    return stdout
  }

  /** What is in a database, counted as a drill does. */
  async contentsOf(url: string, method: 'record' | 'text' = 'record'): Promise<DatabaseContents> {
    const place = { database: databaseOf(url), applicationName: 'tests', signal: never }
    const [one, other] = [
      await openSession(parsePostgresUrl(url), place),
      await openSession(parsePostgresUrl(url), place),
    ]
    try {
      return await countDatabase([one, other], method, never)
    } finally {
      await Promise.all([one.close(), other.close()])
    }
  }

  /** Sessions on the server that are of dumps. */
  async sessions(): Promise<readonly string[]> {
    const rows = await this.server.sql(
      'postgres',
      `SELECT application_name || ' ' || coalesce(query, '') AS name FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND application_name LIKE 'holdfast%'`,
    )
    return rows.map((row) => String(row.name))
  }

  async drop(url: string): Promise<void> {
    await this.server.sql('postgres', `DROP DATABASE ${quoted(databaseOf(url))} WITH (FORCE)`)
  }
}

export function databaseOf(url: string): string {
  return parsePostgresUrl(url).database ?? 'postgres'
}

export function contentOf(attachments: readonly Attachment[], role: Attachment['role']): string {
  const found = attachments.find((attachment) => attachment.role === role)
  if (found === undefined) throw new Error(`there is no attachment ${role}`)
  return found.content
}
