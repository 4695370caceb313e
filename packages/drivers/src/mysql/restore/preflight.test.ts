import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { MARIADB, MYSQL } from '../flavours.ts'
import type { Taken } from '../testing/dump-bench.ts'
import type { StageChange } from '../testing/restore-bench.ts'
import { RestoreBench } from '../testing/restore-bench.ts'
import { knowsSandbox } from './sandbox.ts'

let server: MariadbServer
let bench: RestoreBench
let taken: Taken
let live: string

beforeAll(async () => {
  server = await startMariadb({ binlog: true, settings: { 'log-bin-trust-function-creators': 1 } })
  bench = await RestoreBench.make(server)
  await server.sql(null, "CREATE USER app@'%', unknown@'%'")
  taken = await bench.dumpOf(`
    CREATE TABLE t (a int); CREATE DEFINER=app@'%' VIEW v AS SELECT a FROM t;
    CREATE FUNCTION f() RETURNS int RETURN RAND(); CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1`)
  live = await bench.database('CREATE TABLE p (a int PRIMARY KEY)', 'live')
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

async function refusal(url = live, change: StageChange = {}) {
  const { message, hint } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.preflight(taken, url, change))
  return { message, hint: hint ?? '' }
}

describe('what a restore needs', () => {
  it('is told when all of it is there, and nothing has changed', async () => {
    const needs = await bench.preflight(taken, live)
    assert.ok(needs.bytesNeeded >= taken.summary.sizeBytes)
    assert.ok(needs.privileges.some((line) => line.includes('CREATE VIEW') && line.includes('holdfast')))
    assert.deepEqual(await bench.own(), [])
  })

  it('is refused in one error that names all that is missing, and what to do about each', async () => {
    const account = await server.createAccount({
      grants: ['SELECT ON `live`.*', 'CREATE ON `holdfast\\_%`.*'],
    })
    await server.sql(null, 'SET GLOBAL log_bin_trust_function_creators = 0')
    try {
      const change = {
        contents: {
          collations: ['utf8mb4_0900_ai_ci', 'utf8mb4_bin'],
          engines: ['ROCKSDB', 'InnoDB'],
          largestStatementBytes: 200_000_000,
          serverVersion: 120_100,
        },
      }
      const { message, hint } = await refusal(server.urlOf('live', account), change)
      for (const told of [
        /lacks SELECT, INSERT, ALTER[^;]*CREATE VIEW[^;]* on holdfast/,
        /lacks INSERT, CREATE[^;]*EVENT[^;]* on live/,
        /collations utf8mb4_0900_ai_ci$|collations utf8mb4_0900_ai_ci;/,
        /storage engines ROCKSDB/,
        /max_allowed_packet of the server is \d+ bytes/,
        /without SUPER the user may create no functions/,
        /not declared deterministic: f/,
        /may not create programs of other accounts \(/,
      ]) {
        assert.match(message, told)
      }
      for (const told of [
        /GRANT .* ON `holdfast\\_%`/,
        /268435456/,
        /trust_function_creators=1/,
        /keepOwners: false/,
      ]) {
        assert.match(hint, told)
      }
    } finally {
      await server.sql(null, 'SET GLOBAL log_bin_trust_function_creators = 1')
    }
  })

  it('is little more than a few privileges for whoever takes over all programs', async () => {
    const grants = ['ALL ON `holdfast\\_%`.*', 'ALL ON live.*']
    const account = await server.createAccount({ grants })
    const url = server.urlOf('live', account)
    await bench.preflight(taken, url, { options: { keepOwners: false } })
    assert.match((await refusal(url)).message, /lacks SET USER$/)
  })

  it('counts accounts that are gone since, and takes another one for them', async () => {
    await server.sql(null, "RENAME USER app@'%' TO gone@'%'")
    try {
      const { message, hint } = await refusal()
      assert.match(message, /has not the accounts app@%/)
      assert.match(hint, /globals.*keepOwners: false.*definer/)
      await bench.preflight(taken, live, { options: { definer: 'unknown@%' } })
      await bench.preflight(taken, live, { options: { keepOwners: false } })
      assert.match((await refusal(live, { options: { definer: 'x@y' } })).message, /has not the accounts x@y/)
      const definers = { existing: [], missing: ['app@%'] }
      await bench.preflight(taken, live, { contents: { definers } })
    } finally {
      await server.sql(null, "RENAME USER gone@'%' TO app@'%'")
    }
  })

  it('is a server of the same flavour', async () => {
    assert.match(
      (await refusal(live, { contents: { flavour: 'MySQL' } })).message,
      /is of MySQL and the server is MariaDB/,
    )
  })

  it('is a warning if the server is older, and told what is left out', async () => {
    const contents = { serverVersion: 120_100, leftOut: { tables: ['x'], rowsOf: ['y'], programs: ['z'] } }
    const { warnings } = await bench.preflight(taken, live, { contents })
    assert.match(
      warnings.join('\n'),
      /older than the 12\.1\.0[\s\S]*1 tables \(x\), the rows of 1 tables \(y\)/,
    )
  })

  it('is a server that can be written to, and where nobody else refers to what is replaced', async () => {
    const other = await bench.database(
      'CREATE TABLE c (a int, FOREIGN KEY (a) REFERENCES live.p (a))',
      'other',
    )
    await server.sql(null, 'SET GLOBAL read_only = ON')
    try {
      const { message } = await refusal()
      assert.match(message, /can only be read \(read_only\)/)
      assert.match(message, /foreign keys into live, .*: \S+ of other\.c on p/)
    } finally {
      await server.sql(null, 'SET GLOBAL read_only = OFF; DROP DATABASE other')
    }
    assert.ok(other)
  })

  it('minds the case of names', async () => {
    const tables = ['T', 't'].map((name) => ({ ...taken.contents.tables[0], name }))
    const contents = { lowerCaseTableNames: 1 } as const
    assert.match(
      (await bench.preflight(taken, live, { contents })).warnings.join(),
      /lower_case_table_names is 0 .* was 1/,
    )
    assert.equal(tables.length, 2)
  })
})

describe('the sandbox line', () => {
  it.each([
    [MARIADB, 100_524, false],
    [MARIADB, 100_525, true],
    [MARIADB, 101_107, false],
    [MARIADB, 101_119, true],
    [MARIADB, 110_401, false],
    [MARIADB, 110_402, true],
    [MARIADB, 110_701, true],
    [MYSQL, 80_036, false],
    [MYSQL, 90_100, false],
  ])('is for clients that know it', (flavour, version, expected) => {
    assert.equal(knowsSandbox({ flavour, version }), expected)
  })
})
