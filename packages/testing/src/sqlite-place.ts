import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DriverPlace } from './driver/subject.ts'
import { sha256Hex } from './sources.ts'
import type { SampleOptions } from './sqlite-fixtures.ts'
import {
  createLargeDatabase,
  createSampleDatabase,
  databaseDigest,
  rowCountsOf,
  sampleProblems,
} from './sqlite-fixtures.ts'
import { startSqliteWriter } from './start-sqlite-writer.ts'
import { makeTemporaryDirectory } from './temporary-directory.ts'

/** A directory for SQLite databases and one for scratch files, both empty at first. */
export interface SqlitePlace extends DriverPlace {
  /** The only directory that databases may lie in. */
  readonly databases: string
  readonly scratchDir: string
  /** The path of a file among the databases, whatever its name. */
  path(name: string): string
}

/** Makes a place whose databases are as the options say. */
export async function makeSqlitePlace(options: SampleOptions = {}): Promise<SqlitePlace> {
  const directory = await makeTemporaryDirectory('driver')
  const databases = join(directory.path, 'databases')
  const scratchDir = join(directory.path, 'scratch')
  await mkdir(databases)
  await mkdir(scratchDir, { mode: 0o700 })
  let made = 0
  const newPath = () => {
    made += 1
    return join(databases, `database ${made}.db`)
  }
  return {
    databases,
    scratchDir,
    scratchUrl: null,
    context: { pathRoots: [databases], scratchDir, now: () => Date.now() },
    path: (name) => join(databases, name),
    async seeded() {
      const path = newPath()
      createSampleDatabase(path, { records: 500 + made, userVersion: made, ...options })
      return sqliteUrl(path)
    },
    async large(megabytes) {
      const path = newPath()
      createLargeDatabase(path, megabytes, { userVersion: made, ...options })
      return sqliteUrl(path)
    },
    absent: async () => sqliteUrl(newPath()),
    digest: async (url) => (existsSync(pathOf(url)) ? databaseDigest(pathOf(url)) : 'absent'),
    rowCounts: async (url) => rowCountsOf(pathOf(url)),
    traces: () => tracesIn(databases),
    use: (url) => use(pathOf(url)),
    problems: async (url) => sampleProblems(pathOf(url)),
    serverProcesses: async () => [],
    remove: () => directory.remove(),
  }
}

/** The URL of a database file. */
export function sqliteUrl(path: string): string {
  return `sqlite://${path.split('/').map(encodeURIComponent).join('/')}`
}

function pathOf(url: string): string {
  return decodeURIComponent(url.slice('sqlite://'.length))
}

/** Two that write and one that reads, patient as applications are. */
async function use(path: string) {
  const roles = ['write', 'write', 'read'] as const
  const writers = await Promise.all(roles.map((role) => startSqliteWriter({ path, role, perSecond: 50 })))
  return {
    async stop() {
      const reports = await Promise.all(writers.map((writer) => writer.stop()))
      return reports.flatMap((report) => report.errors)
    },
  }
}

async function tracesIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).toSorted()
  return Promise.all(
    names.map(async (name) => `${name}\t${sha256Hex(await readFile(join(directory, name)))}`),
  )
}
