import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DriverPlace } from '../driver/subject.ts'
import type { MariadbAccount, MariadbServer } from '../servers/mariadb.ts'
import { sha256Hex } from '../sources.ts'
import { makeTemporaryDirectory } from '../temporary-directory.ts'
import { useMysqlSample } from './applications.ts'
import { mysqlName, mysqlSchemaOf } from './client.ts'
import { mysqlFingerprintOf, mysqlServerFingerprintOf } from './fingerprint.ts'
import { mysqlSampleProblems, seedMysqlSample } from './sample.ts'

/** How long a session may take to end after whoever had it has left. */
const LEAVING_MS = 3_000
const POLL_MS = 20
/** What the suite itself lays into scratch space. */
const OF_THE_SUITE = /^(work|streamed|driver|stage)-/

/** Schemas of one test on a server, and scratch space, both empty at first. Made one after another on a server. */
export interface MysqlPlace extends DriverPlace {
  readonly server: MariadbServer
  readonly scratchDir: string
  readonly scratchUrl: string
  /** Whom its URLs log in as, and nobody else. */
  readonly account: MariadbAccount
}

/** A test that was given up may still work at its place. */
let places = 0

/** Makes a place. What schemas and accounts there are on the server now is no part of it. */
export async function makeMysqlPlace(server: MariadbServer): Promise<MysqlPlace> {
  const directory = await makeTemporaryDirectory('driver')
  const scratchDir = join(directory.path, 'scratch')
  await mkdir(scratchDir, { mode: 0o700 })
  const others = await schemasOf(server)
  places += 1
  const place = places
  const account = await makeAccount(server, `engine's ${place}`)
  let made = 0
  const newName = () => {
    made += 1
    return `place's $(id) \`"${place}.${made}" \\ ☃ /?#%41`
  }
  // counts of a database in use are exact on this condition only
  const urlOf = (name: string) => `${server.urlOf(name, account)}?brief_lock=on`
  const asTest = (url: string) => server.urlOf(mysqlSchemaOf(url))
  const seeded = async (megabytes: number) => {
    const name = newName()
    await seedMysqlSample(await server.createDatabase(name), { mark: made, megabytes })
    return urlOf(name)
  }
  const own = async () => (await schemasOf(server)).filter((name) => !others.includes(name))
  return {
    server,
    scratchDir,
    account,
    scratchUrl: server.urlOf(null, account),
    context: { pathRoots: [], scratchDir, now: () => Date.now() },
    seeded: () => seeded(0),
    large: seeded,
    absent: async () => urlOf(newName()),
    digest: (url) => digestOf(asTest(url)),
    rowCounts: (url) => rowCountsOf(server, mysqlSchemaOf(url)),
    serverProcesses: () => server.processes(),
    async traces() {
      await waitForLeaving(server, account)
      const names = await own()
      const schemas = names.map(async (name) => `schema ${name}\t${await digestOf(server.urlOf(name))}`)
      const shared = sha256Hex(Buffer.from((await mysqlServerFingerprintOf(server.url)).join('\n')))
      const scratch = (await readdir(scratchDir)).filter((name) => !OF_THE_SUITE.test(name))
      return [
        ...(await Promise.all(schemas)),
        `server\t${shared}`,
        ...scratch.map((name) => `scratch ${name}`),
      ]
    },
    use: (url) => useMysqlSample(asTest(url)),
    problems: (url) => mysqlSampleProblems(asTest(url)),
    async remove() {
      await server.sql(null, 'DROP USER ?@?', [account.name, account.host])
      for (const name of await own()) await server.sql(null, `DROP DATABASE ${mysqlName(name)}`)
      await directory.remove()
    },
  }
}

async function makeAccount(server: MariadbServer, name: string): Promise<MariadbAccount> {
  const account = await server.createAccount({ name, password: `p'"\\ \`#@:/?%41 ☃😀` })
  await server.sql(null, 'GRANT ALL ON *.* TO ?@? WITH GRANT OPTION', [account.name, account.host])
  return account
}

async function schemasOf(server: MariadbServer): Promise<readonly string[]> {
  const rows = await server.sql(
    null,
    'SELECT schema_name AS name FROM information_schema.schemata ORDER BY 1',
  )
  return rows.map(({ name }) => String(name))
}

async function digestOf(url: string): Promise<string> {
  const lines = await mysqlFingerprintOf(url)
  return lines.join() === 'absent' ? 'absent' : sha256Hex(Buffer.from(lines.join('\n')))
}

/** As users of a backup read them: former versions of rows included, no sequences, no views. */
async function rowCountsOf(server: MariadbServer, schema: string): Promise<Readonly<Record<string, number>>> {
  const tables = await server.sql(null, TABLES, [schema])
  const counts = tables.map(async ({ name, type }) => {
    const history = type === 'SYSTEM VERSIONED' ? 'FOR SYSTEM_TIME ALL' : ''
    const from = `${mysqlName(schema)}.${mysqlName(String(name))} ${history}`
    const [row] = await server.sql(null, `SELECT COUNT(*) AS count FROM ${from}`)
    return [String(name), Number(row?.count)] as const
  })
  return Object.fromEntries(await Promise.all(counts))
}

const TABLES = `
  SELECT table_name AS name, table_type AS type FROM information_schema.tables
  WHERE table_schema = ? AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')`

/** Sessions of operations that are over. */
async function waitForLeaving(server: MariadbServer, { name }: MariadbAccount): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const rows = await server.sql(null, SESSIONS, [name])
    if (rows.length === 0) return
    if (waitedMs >= LEAVING_MS) throw new Error(`a session was left on the server: ${JSON.stringify(rows)}`)
    await delay(POLL_MS)
  }
}

const SESSIONS = 'SELECT id, db, command, state, info FROM information_schema.processlist WHERE user = ?'
