import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Attachment, DumpRequest, DumpSummary } from '@holdfast/core'
import type { MariadbServer, TemporaryDirectory } from '@holdfast/testing'
import { descendantsOf, makeTemporaryDirectory, mysqlName, never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { Counted } from '../contents/count-tables.ts'
import { countTables } from '../contents/count-tables.ts'
import { dumpDatabase } from '../dump/dump-database.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import { parseMysqlUrl } from '../mysql-url.ts'
import { TOOL_ENVIRONMENT, writeOptionFile } from '../option-file.ts'
import { readTables } from '../schema/read-tables.ts'
import { openSession } from '../session.ts'

/** A dump that was taken, lying in a file. */
export interface Taken {
  readonly file: string
  readonly summary: DumpSummary
  readonly contents: Contents
}

/** Other than what a test would ask for. */
export interface DumpChange extends Partial<DumpRequest> {
  readonly patience?: Partial<Patience>
  readonly signal?: AbortSignal
  /** In place of a file. */
  readonly into?: Writable
  /** Where programs are looked for first. */
  readonly toolbox?: Toolbox
}

/** Patience for servers of which tests make the worst. */
const IMPATIENT: Patience = { ...DEFAULT_PATIENCE, askEveryMs: 200, silentForMs: 1_500, tidyWithinMs: 1_500 }

/** Dumps of the schemas of one server, loaded with its own programs alone. */
export class DumpBench {
  readonly server: MariadbServer
  readonly toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  readonly #directory: TemporaryDirectory
  #operations = 0

  constructor(server: MariadbServer, directory: TemporaryDirectory) {
    this.server = server
    this.#directory = directory
  }

  static async make(server: MariadbServer): Promise<DumpBench> {
    return new DumpBench(server, await makeTemporaryDirectory('mysql-dump'))
  }

  remove(): Promise<void> {
    return this.#directory.remove()
  }

  /** A private directory for what a test lays down. */
  makeDirectory(name: string): Promise<string> {
    return mkdtemp(join(this.#directory.path, `${name}-`))
  }

  parts(url: string, patience: Partial<Patience> = {}, toolbox = this.toolbox): MysqlParts {
    const context = { pathRoots: [], scratchDir: this.#directory.path, now: () => Date.now() }
    return { connection: parseMysqlUrl(url), context, patience: { ...IMPATIENT, ...patience }, toolbox }
  }

  newOperationId(): string {
    this.#operations += 1
    return `00000000-0000-7000-8000-${String(process.pid % 1e5).padStart(5, '0')}${String(this.#operations).padStart(7, '0')}`
  }

  /** Dumps a schema; rejects also if anything was left in scratch space, such as an option file. */
  async dump(url: string, change: DumpChange = {}): Promise<Taken> {
    const { patience, signal = never, into, toolbox, ...asked } = change
    const directory = await this.makeDirectory('dump')
    const [file, scratchDir] = [join(directory, 'dump.sql'), join(directory, 'scratch')]
    await mkdir(scratchDir)
    const request: DumpRequest = {
      ...{ mode: 'full', format: 'plain', counting: 'exact', globals: 'none', filter: null, scratchDir },
      operationId: this.newOperationId(),
      sink: { stream: () => into ?? createWriteStream(file), file: () => file },
      onProgress: () => {},
      ...asked,
    }
    try {
      const summary = await dumpDatabase(this.parts(url, patience, toolbox), request, signal)
      return { file, summary, contents: readContents(summary.attachments) }
    } finally {
      // which an empty directory alone can be
      await rmdir(scratchDir)
    }
  }

  /** Loads a dump into a new schema made as the source was, by the client program. Returns its URL. */
  async load({ file, summary }: Taken, on: MariadbServer = this.server, name?: string): Promise<string> {
    const url = await on.createDatabase(name)
    await on.sql(schemaOf(url), contentOf(summary.attachments, 'settings'))
    await this.run(url, createReadStream(file))
    return url
  }

  /** Gives a script to the client program. Rejects with what it says unless it succeeds. */
  async run(url: string, script: NodeJS.ReadableStream): Promise<void> {
    const { programs } = this.server
    const connection = parseMysqlUrl(url)
    const { flavour } = await this.#flavour(url)
    const login = await writeOptionFile(connection, this.#directory.path, flavour)
    const args = [
      login.argument,
      '--binary-mode',
      '--default-character-set=utf8mb4',
      '--max-allowed-packet=1G',
      ...(connection.database === null ? [] : [`--database=${connection.database}`]),
    ]
    try {
      const client = spawn(programs.client, args, {
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { ...TOOL_ENVIRONMENT },
      })
      let said = ''
      client.stderr.on('data', (chunk) => {
        said += String(chunk)
      })
      const closed = once(client, 'close')
      await pipeline(script, client.stdin).catch(() => {})
      const [code] = await closed
      if (code !== 0) throw new Error(`the client exited with ${code}: ${said}`)
    } finally {
      await login.remove()
    }
  }

  /** The same for a text, on the server as a whole. */
  async script(text: string): Promise<void> {
    await this.run(this.server.url, Readable.from([text]))
  }

  /** The rows of a schema, counted as a dump counts them. */
  async countsOf(url: string, history = true): Promise<Readonly<Record<string, Counted>>> {
    const schema = schemaOf(url)
    const session = await openSession(parseMysqlUrl(url), { schema, signal: never })
    try {
      const tables = (await readTables(session, schema)).filter(({ kind }) => kind === 'table')
      const options = { digests: true, history, signal: never }
      return Object.fromEntries(await countTables([session], schema, tables, options))
    } finally {
      await session.close()
    }
  }

  /** What a dump says that it holds, as {@link countsOf} tells it of a copy. */
  static exactly({
    contents,
  }: Taken): Readonly<Record<string, { rows: number | null; digest: string | null }>> {
    const tables = contents.tables.filter(({ kind }) => kind === 'table')
    return Object.fromEntries(tables.map(({ name, rows, digest }) => [name, { rows, digest }]))
  }

  async text({ file }: Taken): Promise<string> {
    return await readFile(file, 'utf8')
  }

  /** Sessions of dumps on the server: those of the dump program, and those that hold a lock of ours. */
  async sessions(): Promise<readonly string[]> {
    const rows = await this.server.sql(
      null,
      `SELECT CONCAT_WS(' ', id, command, IFNULL(info, '')) AS name FROM information_schema.processlist
       WHERE id <> CONNECTION_ID() AND command NOT IN ('Daemon', 'Killed') AND user NOT IN ('system user', 'event_scheduler')`,
    )
    return rows.map((row) => String(row.name))
  }

  /** The same, but only those that do not go within some time: ends are seen a moment later. */
  async lingering(withinMs = 5_000): Promise<readonly string[]> {
    const until = performance.now() + withinMs
    for (;;) {
      const found = await this.sessions()
      if (found.length === 0 || performance.now() > until) return found
      await delay(50)
    }
  }

  async #flavour(url: string) {
    const session = await openSession(parseMysqlUrl(url), { schema: null, signal: never })
    try {
      return session.server
    } finally {
      await session.close()
    }
  }
}

/** Dump programs that this process has started and that still run. */
export async function dumpPrograms(): Promise<readonly number[]> {
  const pids = await descendantsOf(process.pid)
  const found = await Promise.all(pids.map(async (pid) => [pid, await argumentsOf(pid)] as const))
  // a script is an argument of its shell
  return found.flatMap(([pid, args]) =>
    args.slice(0, 2).some((argument) => /(mariadb-dump|mysqldump)$/.test(argument)) ? [pid] : [],
  )
}

export async function argumentsOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
}

export function schemaOf(url: string): string {
  return parseMysqlUrl(url).database ?? ''
}

export function quoted(url: string): string {
  return mysqlName(schemaOf(url))
}

export function contentOf(attachments: readonly Attachment[], role: Attachment['role']): string {
  const found = attachments.find((attachment) => attachment.role === role)
  if (found === undefined) throw new Error(`there is no attachment ${role}`)
  return found.content
}
