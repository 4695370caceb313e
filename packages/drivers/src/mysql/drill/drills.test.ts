import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { waitUntil } from '../../client-server/testing/waiting.ts'
import { ownName } from '../own-names.ts'
import type { CheckChange } from '../testing/drill-bench.ts'
import { DrillBench } from '../testing/drill-bench.ts'
import type { Taken } from '../testing/dump-bench.ts'

const SAMPLE = `
  CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'hunter2');
  CREATE TABLE m (a int) ENGINE = Aria; INSERT INTO m VALUES (1);
  CREATE SEQUENCE s; CREATE TABLE n (a bigint DEFAULT nextval(s)); INSERT INTO n VALUES ();
  CREATE TABLE told (a int);
  CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1; CREATE VIEW v AS SELECT a, f() AS f FROM t;
  CREATE DEFINER = nobody@nowhere VIEW w AS SELECT a FROM v;
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET new.b = 'changed';
  CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT INTO other.told VALUES (1)`

let server: MariadbServer
let bench: DrillBench
let taken: Taken

beforeAll(async () => {
  server = await startMariadb({ settings: { 'event-scheduler': 'ON' } })
  bench = await DrillBench.make(server)
  await server.sql(null, 'CREATE DATABASE other; CREATE TABLE other.told (a int)')
  taken = await bench.dumpOf(SAMPLE)
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})
afterEach(async () => {
  assert.deepEqual(await bench.own(), [])
  assert.deepEqual(await server.sql('other', 'SELECT * FROM told'), [])
  await waitUntil(async () => (await bench.dumps.sessions()).length === 0)
  const left = await readdir(dirname(dirname(taken.file)))
  assert.deepEqual(
    left.filter((name) => name.startsWith('drill-')),
    [],
  )
})

describe('a drill', () => {
  it('proves a dump that is whole, with exact counts and digests, and leaves nothing', async () => {
    const report = await bench.check(taken)
    assert.ok(report.valid, report.message)
    assert.match(
      report.message,
      /^restored on MariaDB [\d.]+ in \d+ s, 5 tables and 4 programs as in the source, by exact/,
    )
    assert.deepEqual(report.rowCounts, { t: 2, m: 1, n: 1, told: 0 })
  })

  it('says that counts are approximate, of which a difference is no failure', async () => {
    const tables = taken.contents.tables.map((table) => ({ ...table, rows: 77, digest: null }))
    const contents = { counting: 'estimate', reason: 'others committed meanwhile', tables } as const
    const report = await bench.check(taken, { contents })
    assert.ok(report.valid, report.message)
    assert.match(report.message, /approximate \(others committed meanwhile\)/)
    const [first, ...others] = tables
    const more = { ...contents, tables: [{ ...tables[0], name: 'gone' }, first, ...others] as typeof tables }
    const missing = await bench.check(taken, { contents: more })
    assert.equal(missing.valid, false)
    assert.match(missing.message, /gone is missing/)
  })

  it('does without counts if there are none, and says so', async () => {
    const tables = taken.contents.tables.map((table) => ({ ...table, rows: null, digest: null }))
    const report = await bench.check(taken, { contents: { counting: 'off', tables } })
    assert.ok(report.valid)
    assert.match(report.message, /rows were not compared/)
    assert.equal(report.rowCounts, null)
  })

  it('finds a row that was changed, and names its table alone', async () => {
    const changed = await bench.changed(taken, (dump) => dump.replace('hunter2', 'hunter3'))
    const report = await bench.check(changed)
    assert.equal(report.valid, false)
    assert.match(report.message, /table t has other contents than the source had/)
    assert.ok(!report.message.includes('hunter'))
  })

  it.each([
    [
      'a view that no dump can bring back',
      'CREATE VIEW z AS SELECT a FROM t; CREATE VIEW b AS SELECT a FROM z WITH CHECK OPTION',
      /view b\b/,
    ],
    ['a row that breaks a key', 'INSERT INTO t VALUES (1)', /rows of t\b/],
  ])('names the object that fails: %s', async (_what, sql, told) => {
    const isRow = sql.startsWith('INSERT')
    const source = await bench.dumpOf(
      `CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2);${isRow ? '' : sql}`,
    )
    const dump = isRow ? await bench.changed(source, (text) => text.replace('(2);', '(1);')) : source
    const report = await bench.check(dump)
    assert.equal(report.valid, false)
    assert.match(report.message, /^not restorable: mariadb: /)
    assert.match(report.message, told)
    assert.equal(report.rowCounts, null)
  })

  it('needs no schema of the name that its URL has, and no rights but on schemas of its own', async () => {
    const account = await server.createAccount({ grants: ['ALL ON `holdfast\\_%`.*'] })
    const report = await bench.check(taken, { scratchUrl: server.urlOf('absent', account) })
    assert.ok(report.valid, report.message)
  })

  it('never blames the dump for what the server lacks', async () => {
    const poor = await server.createAccount({ grants: ['SELECT ON `holdfast\\_%`.*'] })
    const cases = [
      { scratchUrl: null },
      { scratchUrl: server.urlOf(null, poor) },
      { contents: { engines: ['ROCKSDB'] } },
      { contents: { collations: ['utf8mb4_0900_ai_ci'] } },
      { contents: { flavour: 'MySQL' } },
      { contents: { largestStatementBytes: 500_000_000 } },
    ] satisfies readonly CheckChange[]
    for (const change of cases) {
      const { hint } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.check(taken, change))
      assert.match(hint ?? '', /drillOn/)
    }
    await server.sql(null, 'SET GLOBAL max_allowed_packet = 1048576')
    try {
      const big = await bench.dumpOf("CREATE TABLE t (a longblob); INSERT INTO t VALUES ('x')")
      const row = await bench.changed(big, (text) => text.replace('0x78', `0x${'78'.repeat(2_000_000)}`))
      const failure = await bench.check(row).catch((error: unknown) => error)
      // the server hangs up while the client is still sending, and the client may not hear why
      assert.ok(hasCode(failure, 'RESTORE_NOT_POSSIBLE') || hasCode(failure, 'TARGET_UNREACHABLE'))
    } finally {
      await server.sql(null, 'SET GLOBAL max_allowed_packet = 16777216')
    }
  })

  it('never blames the dump for what only another schema had', async () => {
    await server.sql(
      null,
      'CREATE DATABASE gone; CREATE TABLE gone.x (a int); USE gone; CREATE FUNCTION g() RETURNS int RETURN 1',
    )
    const sources = ['CREATE VIEW v AS SELECT a FROM gone.x', 'CREATE VIEW v AS SELECT gone.g() AS a']
    const dumps = await Promise.all(sources.map((sql) => bench.dumpOf(sql)))
    for (const dump of dumps) assert.ok((await bench.check(dump)).valid)
    for (const clear of ['DROP TABLE gone.x; DROP FUNCTION gone.g', 'DROP DATABASE gone']) {
      await server.sql(null, clear)
      for (const dump of dumps) {
        const { message } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.check(dump))
        assert.match(message, /at view v/)
      }
    }
  })

  it('leaves nothing when it is cancelled, or its server is gone', async () => {
    const long = await bench.dumpOf(`
      CREATE TABLE t (a int, b char(32), INDEX (b)); INSERT INTO t SELECT seq, MD5(seq) FROM seq_1_to_200000`)
    const cancel = new AbortController()
    const cancelled = rejectsWith('CANCELLED', bench.check(long, { signal: cancel.signal }))
    await bench.untilLoading('INSERT INTO %')
    cancel.abort()
    await cancelled
    assert.deepEqual(await bench.own(), [])
    const operationId = bench.dumps.newOperationId()
    const patience = { tidyWithinMs: 300 }
    const lost = rejectsWith('TARGET_UNREACHABLE', bench.check(long, { operationId, patience }))
    await bench.untilLoading('INSERT INTO %')
    await server.kill()
    await lost
    await server.resume()
    assert.deepEqual(await bench.own(), [ownName('drill', operationId)])
    const report = await bench.check(taken, { operationId })
    assert.ok(report.valid, report.message)
  })
})

describe('the structure of a dump', () => {
  const check = (dump: Taken) => bench.check(dump, { depth: 'structure', scratchUrl: null })

  it('is that of its source', async () => {
    const report = await check(taken)
    assert.deepEqual(report, {
      valid: true,
      message: 'the dump is whole: 5 tables and 5 programs, as in the source',
      rowCounts: null,
    })
  })

  const END = /\n-- Dump completed.*\n$/
  const damage: readonly (readonly [what: string, change: (dump: string) => string, told: RegExp])[] = [
    ['nothing in it', () => '', /does not begin/],
    ['a packed dump', () => '\x1f\x8b\x08 and so on', /still packed \(gzip\)/],
    [
      'noise',
      (dump) => [...dump].map((letter) => String.fromCharCode(letter.charCodeAt(0) ^ 0x55)).join(''),
      /does not begin/,
    ],
    ['no end', (dump) => dump.replace(END, ''), /cut short/],
    ['half of it', (dump) => dump.slice(0, dump.length / 2), /cut short/],
    [
      'an end of another place',
      (dump) => dump.replace('INSERT INTO', '-- Dump completed\nINSERT INTO'),
      /before its beginning or after its end/,
    ],
    [
      'no rows at the end of a list',
      (dump) => dump.replace("(1,'x'),", "(1,'x'"),
      /something else than values/,
    ],
    [
      'a string that does not end',
      (dump) => dump.replace("'x'", "'x"),
      /something else than values|cut short/,
    ],
    ['a table less', (dump) => dump.replace(/CREATE TABLE `m`[\s\S]*?;\n/, ''), /table m is missing/],
    [
      'a program less',
      (dump) => dump.replace(/CREATE DEFINER.*? FUNCTION[\s\S]*?;;\n/, ''),
      /function f is missing/,
    ],
    [
      'a delimiter that is not given back',
      (dump) => dump.replace(/DELIMITER ;\n(?![\s\S]*DELIMITER ;\n)/, ''),
      /no dump of one schema|cut short/,
    ],
    ['a statement of somebody else', (dump) => dump.replace(END, '\nUSE live;$&'), /no dump of one schema/],
  ]

  it.each(damage)('is damaged: %s', async (_what, change, told) => {
    const report = await check(await bench.changed(taken, change))
    assert.equal(report.valid, false)
    assert.match(report.message, told)
  })

  it('is damaged: another size', async () => {
    const summary = { ...taken.summary, sizeBytes: taken.summary.sizeBytes + 1 }
    assert.match((await check({ ...taken, summary })).message, /has \d+ bytes instead of \d+/)
  })
})
