import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DriverPlace, DriverSubject } from '@holdfast/testing'
import { describeDriverContract, makeTemporaryDirectory, sha256Hex } from '@holdfast/testing'
import {
  createLargeDatabase,
  createSampleDatabase,
  databaseDigest,
  rowCountsOf,
  sampleProblems,
  startSqliteWriter,
} from '@holdfast/testing/sqlite'
import { sqliteDriverFactory } from './sqlite-factory.ts'
import { formatSqliteUrl, parseSqliteUrl } from './sqlite-url.ts'

for (const journalMode of ['wal', 'delete'] as const) {
  describeDriverContract(`sqlite (${journalMode})`, subjectIn(journalMode))
}

function subjectIn(journalMode: 'wal' | 'delete'): DriverSubject {
  return {
    open: () => sqliteDriverFactory(),
    module: { url: new URL('./sqlite-factory.ts', import.meta.url).href, name: 'sqliteDriverFactory' },
    makePlace: () => makePlace(journalMode),
  }
}

async function makePlace(journalMode: 'wal' | 'delete'): Promise<DriverPlace> {
  const directory = await makeTemporaryDirectory('driver')
  const databases = join(directory.path, 'databases')
  const scratchDir = join(directory.path, 'scratch')
  await mkdir(databases)
  await mkdir(scratchDir)
  let made = 0
  const newPath = () => {
    made += 1
    return join(databases, `database ${made}.db`)
  }
  return {
    context: { pathRoots: [databases], scratchDir, now: () => Date.now() },
    async seeded() {
      const path = newPath()
      createSampleDatabase(path, { journalMode, userVersion: made, records: 500 + made })
      return formatSqliteUrl(path)
    },
    async large(megabytes) {
      const path = newPath()
      createLargeDatabase(path, megabytes, { journalMode, userVersion: made })
      return formatSqliteUrl(path)
    },
    absent: async () => formatSqliteUrl(newPath()),
    digest: async (url) => {
      const path = parseSqliteUrl(url)
      return (await exists(path)) ? databaseDigest(path) : 'absent'
    },
    rowCounts: async (url) => rowCountsOf(parseSqliteUrl(url)),
    traces: () => tracesIn(databases),
    use: (url) => use(parseSqliteUrl(url)),
    problems: async (url) => sampleProblems(parseSqliteUrl(url)),
    remove: () => directory.remove(),
  }
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

const exists = (path: string) => stat(path).then(Boolean, () => false)
