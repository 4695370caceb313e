import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { fingerprintDifferences, mysqlFingerprintOf, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { RestoreBench } from '../testing/restore-bench.ts'

let server: MariadbServer
let bench: RestoreBench
/** What a restore goes next to, and must never change. */
let live: string

beforeAll(async () => {
  server = await startMariadb({ settings: { 'event-scheduler': 'ON', 'max-allowed-packet': '64M' } })
  bench = await RestoreBench.make(server)
  live = await bench.database(
    'CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE TABLE told (a int)',
    'live',
  )
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})
afterEach(() => bench.dropOwn())

async function names(schema: string, sql: string): Promise<readonly string[]> {
  const rows = await server.sql(null, sql, [schema])
  return rows.map((row) => Object.values(row).join(' '))
}

const APPS = `
  CREATE TABLE t (a int);
  CREATE DEFINER=app@'%' FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;
  CREATE DEFINER=app@'%' VIEW v AS SELECT a, f() FROM t;
  CREATE DEFINER=app@'%' VIEW z_over AS SELECT * FROM v;
  CREATE DEFINER=app@'%' VIEW a_over AS SELECT * FROM z_over;
  CREATE DEFINER=app@'%' TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1`

const DEFINERS = `
  SELECT TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = @s UNION ALL
  SELECT TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = @s UNION ALL
  SELECT ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = @s ORDER BY 1`

function definersOf(schema: string): Promise<readonly string[]> {
  return names(schema, DEFINERS.replaceAll('@s', `'${schema}'`).replace(/$/, ' -- ?'))
}

describe('a dump that is staged', () => {
  it('is all there, with what names its own schema moved, also where the source is gone', async () => {
    const url = await bench.database(
      `
      CREATE SEQUENCE s START WITH 7;
      CREATE TABLE src (src int, id bigint DEFAULT nextval(s), INDEX (id));
      INSERT INTO src (src) VALUES (1), (2);
      CREATE TABLE kids (id bigint, FOREIGN KEY (id) REFERENCES src (id)); INSERT INTO kids SELECT id FROM src;
      CREATE TABLE kept (a int) WITH SYSTEM VERSIONING; INSERT INTO kept VALUES (1); UPDATE kept SET a = 2;
      CREATE FUNCTION f(a int) RETURNS int DETERMINISTIC RETURN a + 1;
      CREATE VIEW w AS SELECT src.id, src.f(src.src) AS y, (SELECT nextval(src.s)) AS z FROM src.src;
      CREATE VIEW a_over AS SELECT * FROM w;
      CREATE TRIGGER IF NOT EXISTS src . tr BEFORE INSERT ON src.src FOR EACH ROW SET new.src = new.src /* ; */;
      CREATE PROCEDURE p() BEGIN /* kept */ SELECT 1; -- delimiter ;
        SELECT 2; END;
      SET NAMES latin1; CREATE PROCEDURE lat() SELECT 'é', '\\\\\\'' /* ü */; SET NAMES utf8mb4;
      SET sql_mode = 'ORACLE';
      CREATE PACKAGE pk AS FUNCTION g(a int) RETURN int; END;
      CREATE PACKAGE BODY pk AS FUNCTION g(a int) RETURN int AS BEGIN RETURN a; END; END;
      SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';
      CREATE FUNCTION "odd"() RETURNS text DETERMINISTIC RETURN '\\';
      CREATE TRIGGER "tr2" AFTER INSERT ON src FOR EACH ROW SET @x = '\\';`,
      'src',
    )
    const before = await mysqlFingerprintOf(url)
    const taken = await bench.dumps.dump(url)
    await server.sql(null, 'DROP DATABASE src')
    const shadow = await bench.stage(taken, live)
    const [table] = await server.sql(shadow, 'SHOW CREATE TABLE src')
    assert.ok(String(table?.['Create Table']).includes(`nextval(\`${shadow}\`.\`s\`)`))
    const rows = await server.sql(shadow, 'SELECT * FROM a_over ORDER BY id')
    assert.deepEqual(
      rows.map(({ id, y }) => [Number(id), Number(y)]),
      [
        [7, 2],
        [8, 3],
      ],
    )
    assert.equal((await server.sql(shadow, 'SELECT * FROM kept FOR SYSTEM_TIME ALL')).length, 2)
    await bench.restore(taken, url)
    assert.deepEqual(fingerprintDifferences(before, await mysqlFingerprintOf(url)), [])
  })

  it('brings no event, not even for a moment', async () => {
    const url = await bench.database(`
      CREATE TABLE t (a int); INSERT INTO t SELECT seq FROM seq_1_to_200000;
      CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DISABLE DO BEGIN INSERT INTO live.told VALUES (1); DELETE FROM t; END`)
    const taken = await bench.dumps.dump(url)
    const text = await bench.changed(taken, (dump) => dump.replace(' DISABLE ', ' ENABLE '))
    const shadow = await bench.stage(text, live)
    assert.deepEqual(
      await names(shadow, 'SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?'),
      [],
    )
    assert.deepEqual(await server.sql('live', 'SELECT * FROM told'), [])
  })

  it('takes a row of 20 MB, and names with every awkward character', async () => {
    const odd = 'a`b"c\'d;e\nUSE live;-- f'
    const quoted = `\`${odd.replaceAll('`', '``')}\``
    const url = await bench.database(`
      CREATE TABLE big (a longblob, b longtext);
      INSERT INTO big VALUES (REPEAT('\\\\\\'\\0', 7000000), 'x');
      CREATE TABLE ${quoted} (${quoted} int COMMENT 'x;\\nUSE live;\\n') COMMENT '*/;\\nUSE live;\\nDELETE FROM t;';
      INSERT INTO ${quoted} VALUES (1)`)
    const shadow = await bench.stage(await bench.dumps.dump(url), live)
    const [row] = await server.sql(shadow, 'SELECT LENGTH(a) AS size FROM big')
    assert.equal(Number(row?.size), 21_000_000)
    assert.equal((await server.sql(shadow, `SELECT * FROM ${quoted}`)).length, 1)
  })

  it('leaves a schema alone that is altered around a program of another collation', async () => {
    const url = await bench.database(
      `
      CREATE PROCEDURE p() SELECT 1; ALTER DATABASE other CHARACTER SET latin1; CREATE PROCEDURE q() SELECT 2;
      ALTER DATABASE other CHARACTER SET utf8mb4`,
      'other',
    )
    const taken = await bench.dumps.dump(url)
    assert.match(await bench.dumps.text(taken), /ALTER DATABASE `other` CHARACTER SET/)
    await server.sql(null, 'ALTER DATABASE other CHARACTER SET ucs2')
    await bench.stage(taken, live)
    const charset = 'SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?'
    assert.deepEqual(await names('other', charset), ['ucs2'])
  })

  it.each([
    ['keeps definers', {}, 'app@%'],
    ['gives everything to whoever restores', { keepOwners: false }, 'holdfast@%'],
    ['gives everything to another account', { definer: 'o`d@d@localhost' }, 'o`d@d@localhost'],
  ])('%s, though nobody has any right in the shadow', async (_what, options, expected) => {
    await server.sql(
      null,
      `CREATE USER IF NOT EXISTS app@'%'; CREATE USER IF NOT EXISTS \`o\`\`d@d\`@localhost;
      GRANT ALL ON apps.* TO app@'%', \`o\`\`d@d\`@localhost; DROP DATABASE IF EXISTS apps`,
    )
    const url = await bench.database(APPS, 'apps')
    const shadow = await bench.stage(await bench.dumps.dump(url), live, { options })
    const all = ['a_over', 'f', 'tr', 'v', 'z_over'].map((name) => `${name} ${expected}`)
    assert.deepEqual(await definersOf(shadow), all)
    const before = await mysqlFingerprintOf(url)
    const taken = await bench.dumps.dump(url)
    await server.sql(null, 'DROP DATABASE apps')
    await bench.restore(taken, url, { options })
    assert.deepEqual(await definersOf('apps'), all)
    if (expected === 'app@%')
      assert.deepEqual(fingerprintDifferences(before, await mysqlFingerprintOf(url)), [])
  })

  it('replaces what an earlier attempt of the operation left', async () => {
    const taken = await bench.dumpOf('CREATE TABLE t (a int); INSERT INTO t VALUES (1)')
    const operationId = bench.dumps.newOperationId()
    const shadow = await bench.stage(taken, live, { operationId })
    await server.sql(shadow, 'CREATE TABLE more (a int); DELETE FROM t')
    await bench.stage(taken, live, { operationId })
    assert.deepEqual(
      await names(
        shadow,
        'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1',
      ),
      ['holdfast~journal', 't'],
    )
  })

  it('is nothing at all if a program could not be created: the view is named', async () => {
    const taken = await bench.dumpOf(`
      CREATE TABLE t (a int); CREATE VIEW z AS SELECT a FROM t; CREATE VIEW b AS SELECT a FROM z WITH CHECK OPTION`)
    const error = await rejectsWith('VERIFICATION_FAILED', bench.stage(taken, live))
    assert.match(error.message, /^not restorable: .*view b/)
    assert.deepEqual(await bench.own(), [])
  })
})
