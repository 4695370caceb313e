import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { DumpDescription, StageRequest, SwapResult } from '@holdfast/core'
import type { PostgresServer, TemporaryDirectory } from '@holdfast/testing'
import { allow, makeTemporaryDirectory, never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import type { Contents } from '../contents/contents-file.ts'
import { writeContents } from '../contents/contents-file.ts'
import { LARGE_OBJECTS } from '../contents/table-names.ts'
import { readDatabaseFacts, settingsOf } from '../dump/database-facts.ts'
import { settingsScript } from '../dump/settings-script.ts'
import { tarOfDump } from '../dump/tar-of-dump.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { PostgresRestore } from '../restore/postgres-restore.ts'
import { openSession } from '../session.ts'

/** A dump that pg_dump has written, lying in a file. */
export interface DumpFile {
  readonly file: string
  readonly description: DumpDescription
}

/** What a dump is said to hold beyond what it does. */
export interface DumpChange {
  readonly contents?: Partial<Contents>
  readonly rowCounts?: Readonly<Record<string, number>>
}

const LETTER = { custom: 'c', plain: 'p', directory: 'd', tar: 't' } as const
export type DumpFormatName = keyof typeof LETTER

/** Patience for servers of which tests make the worst. */
const IMPATIENT: Patience = { ...DEFAULT_PATIENCE, askEveryMs: 300, silentForMs: 2_000, tidyWithinMs: 3_000 }

/** Restores of dumps that were made by pg_dump alone, as bare as they come. */
export class RestoreBench {
  readonly server: PostgresServer
  readonly toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  readonly #directory: TemporaryDirectory
  #operations = 0

  constructor(server: PostgresServer, directory: TemporaryDirectory) {
    this.server = server
    this.#directory = directory
  }

  static async make(server: PostgresServer): Promise<RestoreBench> {
    return new RestoreBench(server, await makeTemporaryDirectory('postgres-restore'))
  }

  remove(): Promise<void> {
    return this.#directory.remove()
  }

  get scratchDir(): string {
    return this.#directory.path
  }

  restore(url: string, patience: Partial<Patience> = {}): PostgresRestore {
    const context = { pathRoots: [], scratchDir: this.#directory.path, now: () => Date.now() }
    const { toolbox } = this
    const parts = {
      connection: parsePostgresUrl(url),
      context,
      patience: { ...IMPATIENT, ...patience },
      toolbox,
    }
    return new PostgresRestore(parts)
  }

  newOperationId(): string {
    this.#operations += 1
    return `00000000-0000-7000-8000-${String(process.pid % 1e5).padStart(5, '0')}${String(this.#operations).padStart(7, '0')}`
  }

  /** A database with a few tables whose rows depend on `seed`. Returns its URL. */
  async seeded(seed: number, name?: string): Promise<string> {
    const url = await this.server.createDatabase(name)
    await this.server.sql(databaseOf(url), seedScript(seed))
    return url
  }

  /** One that takes seconds to load: every row of a table is looked at for a while. */
  async slow(): Promise<string> {
    const url = await this.seeded(0)
    await this.server.sql(databaseOf(url), SLOW)
    return url
  }

  /** Waits until a restore loads data into its database. */
  async untilLoading(): Promise<void> {
    for (let left = 1000; left > 0; left -= 1) {
      const [row] = await this.server.sql(
        'postgres',
        `SELECT FROM pg_stat_activity WHERE datname LIKE 'holdfast\\_new%' AND query LIKE 'COPY%' AND state = 'active'`,
      )
      if (row !== undefined) return
      await delay(10)
    }
    throw new Error('no restore has begun to load data')
  }

  async dump(url: string, format: DumpFormatName = 'custom', change: DumpChange = {}): Promise<DumpFile> {
    const connection = parsePostgresUrl(url)
    const database = databaseOf(url)
    const session = await openSession(connection, { database, applicationName: 'tests', signal: never })
    try {
      const tools = await this.toolbox.toolsFor(session.serverVersion)
      const facts = await readDatabaseFacts(session)
      const directory = await mkdtemp(join(this.#directory.path, 'dump-'))
      const file = join(directory, 'dump')
      const args = [
        '-w',
        '-F',
        LETTER[format],
        '-Z0',
        '-f',
        file,
        '-d',
        conninfoOf(connection, database, 'tests'),
      ]
      await promisify(execFile)(
        tools.pgDump,
        args.filter((arg) => format !== 'tar' || arg !== '-Z0'),
        {
          env: { ...toolEnvironment(connection), LC_ALL: 'C', PATH: '/usr/bin:/bin' },
        },
      )
      if (format === 'directory') await packDirectory(file)
      const rowCounts = change.rowCounts ?? (await countRows(this.server, database))
      const contents = { ...bareContents(session.serverVersion, settingsOf(facts)), ...change.contents }
      const attachments = [await settingsScript(session, facts), writeContents(contents)]
      const versions = { serverVersion: String(session.serverVersion), toolVersion: tools.versionText }
      const { size: sizeBytes } = await stat(format === 'directory' ? `${file}.tar` : file)
      const counted = { counting: 'exact', rowCounts } as const
      const description = {
        mode: 'full',
        format,
        sizeBytes,
        ...counted,
        ...versions,
        details: {},
        attachments,
      } as const
      return { file: format === 'directory' ? `${file}.tar` : file, description }
    } finally {
      await session.close()
    }
  }

  async request(dump: DumpFile, change: Partial<StageRequest> = {}): Promise<StageRequest> {
    const scratchDir = await mkdtemp(join(this.#directory.path, 'stage-'))
    const options = { keepOwners: true, definer: null }
    const operationId = this.newOperationId()
    return { operationId, dump: dump.description, options, scratchDir, onProgress: () => {}, ...change }
  }

  async stage(
    dump: DumpFile,
    url: string,
    change: Partial<StageRequest> = {},
    signal = never,
  ): Promise<string> {
    const request = await this.request(dump, change)
    return this.restore(url).stage(request, createReadStream(dump.file), signal)
  }

  async run(dump: DumpFile, url: string, change: Partial<StageRequest> = {}): Promise<SwapResult> {
    return this.restore(url).swap(await this.stage(dump, url, change), allow, never)
  }

  /** The URL of a database that there is not. */
  async absent(name?: string): Promise<string> {
    const url = await this.server.createDatabase(name)
    await this.server.sql('postgres', `DROP DATABASE ${quote(databaseOf(url))}`)
    return url
  }

  /** Equal for databases with equal tables; `absent` if there is none. */
  async digest(url: string): Promise<string> {
    const database = databaseOf(url)
    const [found] = await this.server.sql('postgres', 'SELECT FROM pg_database WHERE datname = $1', [
      database,
    ])
    if (found === undefined) return 'absent'
    const rows = await this.server.sql(database, DIGEST)
    return JSON.stringify(rows)
  }

  /** Databases that are there because of restores. */
  async own(): Promise<readonly string[]> {
    const rows = await this.server.sql(
      'postgres',
      `SELECT datname FROM pg_database WHERE datname LIKE 'holdfast%' ORDER BY 1`,
    )
    return rows.map((row) => String(row.datname))
  }

  /** Sessions on the server that are not this test's. */
  async sessions(): Promise<readonly string[]> {
    const rows = await this.server.sql(
      'postgres',
      `SELECT application_name || ' ' || coalesce(datname, '') AS name FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND application_name LIKE 'holdfast%'`,
    )
    return rows.map((row) => String(row.name))
  }
}

export function databaseOf(url: string): string {
  return parsePostgresUrl(url).database ?? 'postgres'
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

const SLOW = `
  CREATE FUNCTION look(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
  CREATE TABLE slow (id int CHECK (public.look(id)));
  INSERT INTO slow SELECT generate_series(1, 400);
  CREATE OR REPLACE FUNCTION look(int) RETURNS bool LANGUAGE sql AS 'SELECT pg_sleep(0.01) IS NOT NULL';`

const DIGEST = `
  SELECT relname, (xpath('/table/row/x/text()', query_to_xml(
    format('SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '''')) AS x FROM %s AS t', c.oid::regclass),
    true, false, '')))[1]::text AS digest
  FROM pg_class AS c WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace ORDER BY 1`

function seedScript(seed: number): string {
  return `
    CREATE TABLE items (id int PRIMARY KEY, word text NOT NULL, at timestamptz DEFAULT now());
    INSERT INTO items SELECT i, md5(${seed}::text || i) FROM generate_series(1, ${200 + seed}) AS i;
    CREATE TABLE parts (id serial PRIMARY KEY, item int REFERENCES items (id));
    INSERT INTO parts (item) SELECT i % 100 + 1 FROM generate_series(1, ${50 + seed}) AS i;
    CREATE VIEW few AS SELECT * FROM items WHERE id < 10;
    CREATE INDEX ON items (word);
    SELECT lo_from_bytea(0, decode(md5('${seed}'), 'hex'));`
}

async function countRows(
  server: PostgresServer,
  database: string,
): Promise<Readonly<Record<string, number>>> {
  const rows = await server.sql(
    database,
    `SELECT format('%s.%s', nspname, relname) AS key,
            (xpath('/table/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), true, false, '')))[1]::text AS n
     FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = relnamespace
     WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'`,
  )
  const [objects] = await server.sql(database, 'SELECT count(*) AS n FROM pg_largeobject_metadata')
  const counts = Object.fromEntries(rows.map((row) => [String(row.key), Number(row.n)]))
  return Number(objects?.n) === 0 ? counts : { ...counts, [LARGE_OBJECTS]: Number(objects?.n) }
}

async function packDirectory(directory: string): Promise<void> {
  await pipeline(tarOfDump(directory), createWriteStream(`${directory}.tar`))
}

function bareContents(serverVersion: number, database: Contents['database']): Contents {
  return {
    v: 1,
    serverVersion,
    database,
    roles: [],
    extensions: [],
    tablespaces: [],
    languages: [],
    libraries: [],
    superuserOnly: [],
    digests: null,
    sequences: {},
    leftOut: null,
  }
}
