import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { MariadbServer } from '@holdfast/testing'
import { mysqlName, never, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DumpBench, dumpPrograms, schemaOf } from '../testing/dump-bench.ts'
import { inspectDatabase } from './inspect-database.ts'

let server: MariadbServer
let bench: DumpBench

beforeAll(async () => {
  server = await startMariadb({ settings: { 'max-allowed-packet': '64M' } })
  bench = await DumpBench.make(server)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await dumpPrograms(), [])
  assert.deepEqual(await bench.lingering(), [])
})

const NAMES = [
  '-x',
  '--all-databases',
  'back`tick',
  '$(id)',
  'a/b',
  'ünï ☃',
  'x;y',
  'a b',
  `it's "quoted" \\ %`,
  'Upper',
  'dot.ted',
  '#hash',
]

describe('a dump', () => {
  it.each(NAMES)('is of the schema called %j and of no other', async (name) => {
    const url = await server.createDatabase(name)
    await server.sql(
      name,
      `CREATE TABLE ${mysqlName(name)} (name text) DEFAULT CHARSET utf8mb4;
       INSERT INTO ${mysqlName(name)} SELECT DATABASE();
       CREATE TABLE ${mysqlName(`${name}.t`)} (id int); INSERT INTO ${mysqlName(`${name}.t`)} VALUES (1), (2);
       CREATE VIEW ${mysqlName(`v ${name}`)} AS SELECT name FROM ${mysqlName(name)}`,
    )
    const taken = await bench.dump(url)
    assert.equal(taken.summary.details.schema, name)
    assert.deepEqual(taken.summary.rowCounts, { [name]: 1, [`${name}.t`]: 2 })
    const copy = await bench.load(taken)
    assert.deepEqual(await server.sql(schemaOf(copy), `SELECT name FROM ${mysqlName(name)}`), [{ name }])

    const without = await bench.dump(url, {
      filter: { include: [], exclude: [`"${name.replaceAll('"', '""')}.t"`] },
    })
    assert.deepEqual(without.summary.rowCounts, { [name]: 1 })
  })

  it.each([
    ['@ : / # % ?', `p@:/#%'"\\ $(id)`],
    [`it's "quoted"`, '#;[client]'],
    ['ünï ☃', 'tab\tend '],
    ['-x', '\\s\\n'],
  ])('logs in as %j with password %j', async (name, password) => {
    const account = await server.createAccount({
      name,
      password,
      grants: ['SELECT ON *.*', 'SHOW VIEW, TRIGGER, EVENT ON *.*'],
    })
    const url = await server.createDatabase()
    await server.sql(schemaOf(url), 'CREATE TABLE t (id int); INSERT INTO t VALUES (1)')
    const { summary } = await bench.dump(server.urlOf(schemaOf(url), account))
    assert.equal(summary.rowCounts.t, 1)
    assert.ok(!JSON.stringify(summary).includes(JSON.stringify(password).slice(1, -1)))
  })
})

describe('values', () => {
  it('of every kind come back the same, rows of 20 MB and characters of four bytes included', async () => {
    const url = await server.createDatabase(
      undefined,
      "CHARACTER SET utf8mb3 COLLATE utf8mb3_bin COMMENT 'it''s \\\\ ☃'",
    )
    await server.sql(
      schemaOf(url),
      `CREATE TABLE wide (id int PRIMARY KEY, bytes longblob, text longtext) DEFAULT CHARSET utf8mb4;
       INSERT INTO wide VALUES (1, REPEAT(X'00FF0A0D275C1A', 3000000), NULL), (2, NULL, REPEAT('😀é\\n\\'', 100000));
       CREATE TABLE odd (b bit(9), z date, e enum('a', 'ü'), j json, g geometry, d decimal(40, 20), t timestamp NULL, l varchar(20) CHARACTER SET latin1, n double);
       SET sql_mode = '';
       INSERT INTO odd VALUES (b'101010101', '0000-00-00', 'ü', '{"a": "😀"}', ST_GeomFromText('POINT(1 2)'), 12345678901234567890.12345678901234567890, '2026-03-29 01:30:00', 'ÿ€', 1e-300), (NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, -0.0)`,
    )
    const taken = await bench.dump(url)
    assert.ok(taken.contents.largestStatementBytes > 20 * 1024 * 1024)
    assert.equal(taken.summary.details.largestStatementBytes, taken.contents.largestStatementBytes)
    const loaded = await bench.load(taken)
    const copy = await bench.countsOf(loaded)
    for (const [table, exactly] of Object.entries(DumpBench.exactly(taken))) {
      assert.deepEqual({ rows: copy[table]?.rows, digest: copy[table]?.digest }, exactly, table)
    }
    const [settings] = await server.sql(
      null,
      'SELECT DEFAULT_COLLATION_NAME AS collation, SCHEMA_COMMENT AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
      [schemaOf(loaded)],
    )
    assert.deepEqual(settings, { collation: 'utf8mb3_bin', comment: `it's \\ ☃` })
    assert.equal((await readFile(taken.file)).includes('😀'), true)
  })
})

describe('what a dump cannot keep', () => {
  it('is named, and only what is so', async () => {
    const url = await server.createDatabase()
    const schema = schemaOf(url)
    await server.sql(
      schema,
      `CREATE TABLE f (id int, kept float, lost float); INSERT INTO f VALUES (1, 1.5, 16777215), (2, NULL, 2);
       CREATE TABLE m (id int) ENGINE=MyISAM; CREATE TABLE a (id int) ENGINE=Aria; INSERT INTO m VALUES (1);
       CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int, FOREIGN KEY (id) REFERENCES parent (id));
       CREATE VIEW over_parent AS SELECT * FROM parent;
       CREATE DEFINER=\`gone\`@\`%\` PROCEDURE orphan() SELECT 1;
       CREATE PROCEDURE names_itself() SELECT * FROM ${mysqlName(schema)}.f;
       CREATE TABLE precise (id int, s bigint unsigned GENERATED ALWAYS AS ROW START, e bigint unsigned GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING`,
    )
    const taken = await bench.dump(url, { filter: { include: [], exclude: ['parent', 'never'] } })
    const said = taken.summary.warnings.join('\n')
    assert.match(said, /^FLOAT columns with values that no dump keeps.*: f\.lost$/m)
    assert.match(said, /^tables that are not InnoDB.*: a, m$/m)
    assert.match(said, /definer gone@% does not exist: procedure orphan/)
    assert.match(said, /name their own database.*: procedure names_itself$/m)
    assert.match(said, /foreign keys refer to.*: child needs parent$/m)
    assert.match(said, /views select from.*: over_parent needs parent$/m)
    assert.match(said, /excludes never, which/)
    assert.match(said, /transaction-precise history.*: precise$/m)
    assert.equal(taken.contents.history, false)
    assert.deepEqual(taken.contents.definers.missing, ['gone@%'])
    assert.deepEqual(taken.contents.leftOut?.tables, ['parent'])
    const digests = Object.fromEntries(
      taken.contents.tables.map(({ name, digest }) => [name, digest !== null]),
    )
    assert.deepEqual([digests.f, digests.m, digests.a], [true, false, false])
  })

  it('fails a dump if it is an invalid view, which is named, unless a filter leaves it out', async () => {
    const url = await server.createDatabase()
    await server.sql(
      schemaOf(url),
      'CREATE TABLE t (id int, a int); CREATE VIEW broken AS SELECT a FROM t; ALTER TABLE t DROP COLUMN a',
    )
    const failure = await rejectsWith('DATABASE_INVALID', bench.dump(url))
    assert.match(failure.message, /: broken$/)
    const { warnings } = await inspectDatabase(bench.parts(url), never)
    assert.match(warnings.join('\n'), /invalid views.*: broken/)
    const { contents } = await bench.dump(url, { filter: { include: [], exclude: ['broken'] } })
    assert.deepEqual(contents.leftOut?.programs, ['view broken'])
  })
})
