import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { DriverPlace } from '../driver/subject.ts'
import type { PostgresServer } from '../servers/postgres.ts'
import { sha256Hex } from '../sources.ts'
import { makeTemporaryDirectory } from '../temporary-directory.ts'
import { usePostgresSample } from './applications.ts'
import { databaseOf } from './client.ts'
import { postgresFingerprintOf, postgresServerFingerprintOf } from './fingerprint.ts'
import { postgresSampleProblems, seedPostgresSample } from './sample.ts'

/** How long a session may take to end after whoever had it has left. */
const LEAVING_MS = 3_000
const POLL_MS = 20
/** What the suite itself lays into scratch space. */
const OF_THE_SUITE = /^(work|streamed|driver|stage)-/

/** Databases of one test on a server, and scratch space, both empty at first. Made one after another on a server. */
export interface PostgresPlace extends DriverPlace {
  readonly server: PostgresServer
  readonly scratchDir: string
  readonly scratchUrl: string
}

/** A test that was given up may still work at its place. */
let places = 0

/** Makes a place. What databases and roles there are on the server now is no part of it. */
export async function makePostgresPlace(server: PostgresServer): Promise<PostgresPlace> {
  const directory = await makeTemporaryDirectory('driver')
  const scratchDir = join(directory.path, 'scratch')
  await mkdir(scratchDir, { mode: 0o700 })
  const others = await databasesOf(server)
  places += 1
  const place = places
  let made = 0
  const newName = () => {
    made += 1
    return `place's "${place}.${made}" \\ ☃ /?#%41`
  }
  const seeded = async (megabytes: number) => {
    const url = await server.createDatabase(newName(), 'TEMPLATE template0')
    await seedPostgresSample(url, { mark: made, megabytes })
    return url
  }
  const own = async () => (await databasesOf(server)).filter((name) => !others.includes(name))
  return {
    server,
    scratchDir,
    scratchUrl: server.urlOf('').replace(/\/$/, ''),
    context: { pathRoots: [], scratchDir, now: () => Date.now() },
    seeded: () => seeded(0),
    large: seeded,
    absent: async () => server.urlOf(newName()),
    digest: digestOf,
    rowCounts: (url) => rowCountsOf(server, databaseOf(url)),
    serverProcesses: () => server.processes(),
    async traces() {
      await waitForLeaving(server)
      const names = await own()
      const databases = names.map(async (name) => `database ${name}\t${await digestOf(server.urlOf(name))}`)
      const shared = sha256Hex(Buffer.from((await postgresServerFingerprintOf(server.url)).join('\n')))
      const scratch = (await readdir(scratchDir)).filter((name) => !OF_THE_SUITE.test(name))
      return [
        ...(await Promise.all(databases)),
        `server\t${shared}`,
        ...scratch.map((name) => `scratch ${name}`),
      ]
    },
    use: usePostgresSample,
    problems: postgresSampleProblems,
    async remove() {
      for (const name of await own()) await dropDatabase(server, name)
      await directory.remove()
    },
  }
}

async function databasesOf(server: PostgresServer): Promise<readonly string[]> {
  const rows = await server.sql('postgres', 'SELECT datname FROM pg_database ORDER BY datname COLLATE "C"')
  return rows.map((row) => String(row.datname))
}

async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  const quoted = pg.escapeIdentifier(name)
  await server.sql('postgres', `ALTER DATABASE ${quoted} IS_TEMPLATE false`)
  await server.sql('postgres', `DROP DATABASE ${quoted} WITH (FORCE)`)
}

async function digestOf(url: string): Promise<string> {
  try {
    return sha256Hex(Buffer.from((await postgresFingerprintOf(url)).join('\n')))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === '3D000') return 'absent'
    throw error
  }
}

/** As users of a backup read them: by name, partitions at their root, large objects together, no computed rows. */
async function rowCountsOf(
  server: PostgresServer,
  database: string,
): Promise<Readonly<Record<string, number>>> {
  const tables = await server.sql(database, TABLES)
  const counts = tables.map(
    ({ key, name, only }) => `SELECT '${key}' AS key, count(*)::int FROM ${only} ${name}`,
  )
  const objects = `SELECT 'large objects', count(*)::int FROM pg_largeobject_metadata HAVING count(*) > 0`
  const rows = await server.sql(database, [...counts, objects].join(' UNION ALL '))
  return Object.fromEntries(rows.map((row) => [String(row.key), Number(row.count)]))
}

const PART = (name: string) =>
  `CASE WHEN ${name} ~ '^[a-z_][a-z0-9_$]*$' THEN ${name} ELSE '"' || replace(${name}, '"', '""') || '"' END`
const TABLES = `
  SELECT replace(${PART('n.nspname')} || '.' || ${PART('c.relname')}, '''', '''''') AS key,
    format('%I.%I', n.nspname, c.relname) AS name, CASE c.relkind WHEN 'r' THEN 'ONLY' ELSE '' END AS only
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND NOT c.relispartition AND n.nspname !~ '^pg_'
    AND c.relkind IN ('r', 'p')`

/** Sessions of operations that are over. */
async function waitForLeaving(server: PostgresServer): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const rows = await server.sql('postgres', SESSIONS)
    if (rows.length === 0) return
    if (waitedMs >= LEAVING_MS) throw new Error(`a session was left on the server: ${JSON.stringify(rows)}`)
    await delay(POLL_MS)
  }
}

const SESSIONS = `SELECT application_name, datname, state, query FROM pg_stat_activity WHERE application_name LIKE 'holdfast%'`
