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

describe('objects', () => {
  it('of every kind are in the dump, with the history of rows', async () => {
    const url = await server.createDatabase()
    await server.sql(
      schemaOf(url),
      `CREATE TABLE h (id int PRIMARY KEY, v text) WITH SYSTEM VERSIONING;
       INSERT INTO h VALUES (1, 'a'); UPDATE h SET v = 'b'; DELETE FROM h WHERE id = 1; INSERT INTO h VALUES (2, 'c');
       CREATE SEQUENCE s START WITH 5 INCREMENT BY 3; SELECT NEXTVAL(s);
       CREATE TABLE uses_s (id int DEFAULT NEXTVAL(s)); INSERT INTO uses_s VALUES ();
       CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 42;
       CREATE PROCEDURE p() SELECT 1;
       CREATE TRIGGER t1 BEFORE INSERT ON uses_s FOR EACH ROW SET @a = 1;
       CREATE TRIGGER t2 BEFORE INSERT ON uses_s FOR EACH ROW PRECEDES t1 SET @a = 2;
       CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM h WHERE id = 99;
       CREATE VIEW z AS SELECT 1 AS one; CREATE VIEW a AS SELECT one FROM z;
       SET sql_mode = ORACLE;
       CREATE PACKAGE pkg AS FUNCTION g RETURN int; END;
       CREATE PACKAGE BODY pkg AS FUNCTION g RETURN int AS BEGIN RETURN 7; END; END`,
    )
    const taken = await bench.dump(url)
    assert.equal(taken.contents.history, true)
    assert.equal(taken.summary.rowCounts.h, 3)
    const text = await readFile(taken.file, 'utf8')
    for (const { kind, name } of taken.contents.programs) {
      assert.match(text, new RegExp(`${kind} +(?:\`${name}\`|"${name}"|${name}\\b)`, 'i'), `${kind} ${name}`)
    }
    assert.deepEqual(taken.contents.programs.map(({ kind }) => kind).toSorted(), [
      'event',
      'function',
      'package',
      'package body',
      'procedure',
      'trigger',
      'trigger',
      'view',
      'view',
    ])
    const copy = schemaOf(await bench.load(taken))
    const rows = await server.sql(copy, 'SELECT id, v FROM h FOR SYSTEM_TIME ALL ORDER BY row_start')
    assert.deepEqual(rows, [
      { id: 1, v: 'a' },
      { id: 1, v: 'b' },
      { id: 2, v: 'c' },
    ])
    const [sum] = await server.sql(
      copy,
      'SET sql_mode = ORACLE; SELECT f() + pkg.g() AS sum, (SELECT one FROM a) AS one',
    )
    assert.deepEqual(sum, { sum: 49, one: 1 })
    const [next] = await server.sql(copy, 'SELECT NEXTVAL(s) > 8 AS goesOn')
    assert.equal(Number(next?.goesOn), 1)
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
