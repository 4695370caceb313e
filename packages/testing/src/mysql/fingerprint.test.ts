import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintDifferences } from '../fingerprint.ts'
import type { MariadbServer } from '../servers/mariadb.ts'
import { startMariadb } from '../servers/mariadb.ts'
import { mysqlFingerprintOf, mysqlServerFingerprintOf } from './fingerprint.ts'
import { seedMysqlAccounts, seedMysqlEverything } from './seed-everything.ts'

let server: MariadbServer
let original: readonly string[]

beforeAll(async () => {
  server = await startMariadb()
  await seedMysqlEverything(await server.createDatabase('everything'), { outsideOfSnapshots: true })
  original = await mysqlFingerprintOf(server.urlOf('everything'))
})
afterAll(() => server.stop())

describe('the fingerprint of a schema of MariaDB', () => {
  it('is equal each time, and tells that there is none', async () => {
    expect(await mysqlFingerprintOf(server.urlOf('everything'))).toEqual(original)
    expect(await mysqlFingerprintOf(server.urlOf('nothing'))).toEqual(['absent'])
  })

  it('is that of what was dumped with the right options and loaded elsewhere', async () => {
    const other = await startMariadb()
    try {
      await seedMysqlAccounts(other.url)
      // equal names: defaults of columns name the schema of their sequence
      const options = `CHARACTER SET latin1 COLLATE latin1_german1_ci COMMENT 'all it''s made of'`
      const url = await other.createDatabase('everything', options)
      const differences = async () => {
        const found = fingerprintDifferences(original, await mysqlFingerprintOf(url))
        // which are kept beside routines, in no dump
        return found.filter((line) => !line.startsWith('only in the first: routine grant'))
      }
      await dumpAndLoad(server, other, FLAGS)
      expect(await differences()).toEqual([])
    } finally {
      await other.stop()
    }
  })

  describe('changes with', () => {
    let before: readonly string[]

    // one after another, each against the one before
    beforeAll(() => {
      before = original
    })
    it.each(changes())('%s', async (_, change, named) => {
      await server.sql('everything', `SET sql_mode = ''; ${change}`)
      const after = await mysqlFingerprintOf(server.urlOf('everything'))
      expect(fingerprintDifferences(before, after).join('\n')).toContain(named)
      before = after
    })
  })
})

describe('the fingerprint of a MariaDB server', () => {
  it.each([
    ['an account', `CREATE USER 'one more'@'%'`],
    ['a password', `ALTER USER 'one more'@'%' IDENTIFIED BY 'x'`],
    ['a privilege on all', `GRANT PROCESS ON *.* TO 'one more'@'%'`],
    ['a privilege on a schema', `GRANT SELECT ON everything.* TO 'one more'@'%'`],
    ['a privilege on a column', `GRANT SELECT (id) ON everything.parents TO 'one more'@'%'`],
    ['a role of an account', `GRANT readers TO 'one more'@'%'`],
    ['a global variable', 'SET GLOBAL log_bin_trust_function_creators = ON'],
  ])('changes with %s', async (_, change) => {
    const before = await mysqlServerFingerprintOf(server.url)
    expect(fingerprintDifferences(before, await mysqlServerFingerprintOf(server.url))).toEqual([])
    await server.sql(null, change)
    expect(fingerprintDifferences(before, await mysqlServerFingerprintOf(server.url))).not.toEqual([])
  })
})

/** What is changed, how, and what the differences must name: one thing each, that a tool could lose. */
function changes(): readonly (readonly [what: string, sql: string, named: string])[] {
  const text = readFileSync(new URL('./changes.sql', import.meta.url), 'utf8')
  return text
    .split(/^-- /m)
    .slice(1)
    .map((part) => {
      const [, what, named, sql] = /^([^\n]*) => ([^\n]*)\n(.*)$/s.exec(part) ?? []
      assert.ok(what !== undefined && named !== undefined && sql !== undefined, part)
      return [what, sql.trim(), named]
    })
}

const FLAGS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--triggers',
  '--events',
  '--hex-blob',
  '--tz-utc',
  '--dump-history',
  '--skip-add-locks',
  '--max-allowed-packet=1G',
]

async function dumpAndLoad(from: MariadbServer, to: MariadbServer, flags: readonly string[]): Promise<void> {
  const file = join(from.directory, 'dump')
  const at = ({ socket, administrator: { name } }: MariadbServer) => [
    '--no-defaults',
    `--socket=${socket}`,
    `--user=${name}`,
    '--default-character-set=utf8mb4',
  ]
  const env = (server: MariadbServer) => ({ ...process.env, MYSQL_PWD: server.administrator.password })
  const run = promisify(execFile)
  const dump = [...at(from), ...flags, `--result-file=${file}`, 'everything']
  await run(from.programs.dump, dump, { env: env(from) })
  // the client reads a script from standard input alone, and cuts comments out of programs unless told otherwise
  const args = ['-c', 'exec "$@" < "$0"', file, to.programs.client]
  await run(
    '/bin/sh',
    [...args, ...at(to), '--binary-mode', '--comments', '--max-allowed-packet=1G', 'everything'],
    {
      env: env(to),
    },
  )
}
