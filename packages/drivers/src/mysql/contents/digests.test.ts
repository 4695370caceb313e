import type { MariadbServer } from '@holdfast/testing'
import { startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readSchema } from '../schema/read-schema.ts'
import type { Session } from '../session.ts'
import { SessionBench } from '../testing/session-bench.ts'
import type { Counted } from './count-tables.ts'
import { countTables } from './count-tables.ts'

const COLUMNS = `id INT, a VARCHAR(20), b VARCHAR(20), l TEXT CHARACTER SET latin1, u VARCHAR(9) CHARACTER SET utf16,
  n DECIMAL(20,4), f FLOAT, d DOUBLE, t TIMESTAMP(6) NULL, dt DATETIME(3), dd DATE, ti TIME(2), y YEAR, bits BIT(64),
  e ENUM('', 'x', 'X') COLLATE latin1_bin, s SET('p', 'q'), j JSON, bl LONGBLOB, bi BINARY(4), g GEOMETRY, p POINT,
  uu UUID, i6 INET6, big BIGINT UNSIGNED, c CHAR(5) COLLATE utf8mb4_bin`

const ROWS = `
  (1, 'a', 'b', 'grüß', '🐘', 1.5, 0.1, 0.1, '2020-02-02 02:02:02.000001', '2020-02-02 02:02:02.001', '0000-00-00',
   '-12:00:00.01', 2020, b'1', 'x', 'p,q', '{"a": 1}', X'00ff0027', X'01', POINT(1, 2), POINT(0, 0),
   'a72b6ee0-e54e-11f1-8e96-02fc00000001', '::1', 18446744073709551615, 'c'),
  (2, '', NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', '', NULL, '', NULL, NULL, NULL, NULL, NULL, 0, ''),
  (3, NULL, '', NULL, '', 0, -0.0, 1e308, '1970-01-01 00:00:01', '0000-00-00', '2020-00-01', '838:59:59', 0,
   b'1111111111111111111111111111111111111111111111111111111111111111', NULL, NULL, '[]', NULL, X'00', NULL, NULL,
   NULL, 'ffff::', 9007199254740993, NULL),
  (4, 'x,y', 'z', 'ü', 'ü', 0.0001, 3.25, -0.5, NULL, NULL, '2020-02-02', NULL, 1901, b'10', 'X', 'q', '"x"', REPEAT('x', 70000),
   X'ffffffff', LINESTRING(POINT(0, 0), POINT(1, 1)), NULL, NULL, NULL, 1, 'C')`

/** One bit each, and all that a careless digest does not see. */
const CHANGES = [
  'SET a = NULL WHERE id = 2',
  "SET a = '', b = 'ab' WHERE id = 1",
  "SET a = 'ab', b = '' WHERE id = 1",
  "SET a = NULL, b = '' WHERE id = 2",
  "SET a = 'x', b = 'y,z' WHERE id = 4",
  "SET a = 'a ' WHERE id = 1",
  "SET a = 'A' WHERE id = 1",
  "SET a = 'ä' WHERE id = 1",
  "SET l = 'grüss' WHERE id = 1",
  "SET u = '🐙' WHERE id = 1",
  'SET n = 0 WHERE id = 4',
  'SET f = NULL WHERE id = 3',
  'SET d = 0.10000000000000002 WHERE id = 1',
  "SET t = '2020-02-02 02:02:02.000002' WHERE id = 1",
  "SET dt = '2020-02-02 02:02:02.002' WHERE id = 1",
  'SET dd = NULL WHERE id = 1',
  "SET ti = '12:00:00.01' WHERE id = 1",
  'SET y = 1901 WHERE id = 3',
  'SET bits = bits ^ 1 WHERE id = 3',
  "SET e = 'X' WHERE id = 1",
  'SET e = 0 WHERE id = 2',
  "SET s = 'p' WHERE id = 1",
  `SET j = '{"a":1}' WHERE id = 1`,
  "SET bl = X'00ff0026' WHERE id = 1",
  "SET bl = CONCAT(REPEAT('x', 69999), 'y') WHERE id = 4",
  "SET bi = X'0100' WHERE id = 4",
  'SET g = POINT(2, 1) WHERE id = 1',
  'SET p = NULL WHERE id = 1',
  "SET uu = 'a72b6ee0-e54e-11f1-8e96-02fc00000002' WHERE id = 1",
  "SET i6 = '::2' WHERE id = 1",
  'SET big = 9007199254740992 WHERE id = 3',
  "SET c = 'c' WHERE id = 4",
  // the values of two rows exchanged
  "SET a = ELT(id, 'x,y', a, a, 'a') WHERE id IN (1, 4)",
  'SET big = IF(id = 2, 1, 0) WHERE id IN (2, 4)',
  'SET id = 5 - id',
]

describe('digests of tables', () => {
  const bench = new SessionBench()
  let server: MariadbServer
  let session: Session

  beforeAll(async () => {
    server = await startMariadb()
    session = await bench.open(await server.createDatabase('src', 'CHARACTER SET utf8mb4'))
    await session.query("SET SESSION sql_mode = '', SESSION explicit_defaults_for_timestamp = 1")
  })
  beforeEach(async () => {
    await session.query('DROP TABLE IF EXISTS x, y')
    await session.query(`CREATE TABLE x (${COLUMNS})`)
    await session.query(`INSERT INTO x VALUES ${ROWS}`)
  })
  afterAll(async () => {
    await bench.closeAll()
    await server.stop()
  })

  const count = async (table: string, history = false): Promise<Counted | undefined> => {
    const { tables } = await readSchema(session, 'src')
    const wanted = tables.filter(({ name }) => name === table)
    const signal = new AbortController().signal
    return (await countTables([session], 'src', wanted, { digests: true, history, signal })).get(table)
  }

  it('are equal for equal rows, wherever and in whatever order they lie', async () => {
    const expected = await count('x')
    expect(expected).toMatchObject({ rows: 4, digest: expect.stringMatching(/^[1-9]\d+$/) })
    for (const options of ['ENGINE = MyISAM', 'ENGINE = Aria ROW_FORMAT = PAGE', 'ROW_FORMAT = REDUNDANT']) {
      await session.query('DROP TABLE IF EXISTS y')
      await session.query(`CREATE TABLE y (${COLUMNS}, extra INT AS (id + 1) PERSISTENT, KEY (a)) ${options}`)
      const columns = (await session.query<{ Field: string }>('SHOW COLUMNS FROM x')).map(
        ({ Field }) => Field,
      )
      await session.query(`INSERT INTO y (${columns}) SELECT ${columns} FROM x ORDER BY id DESC`)
      expect(await count('y')).toEqual(expected)
    }
    await session.query('ALTER TABLE x MODIFY c CHAR(5) COLLATE utf8mb4_bin FIRST')
    expect(await count('x')).toEqual(expected)
    // partitions know no geometry
    await session.query('ALTER TABLE x DROP g, DROP p')
    const inOne = await count('x')
    await session.query('ALTER TABLE x PARTITION BY HASH (id) PARTITIONS 3')
    expect(await count('x')).toEqual(inOne)
  })

  it('do not depend on what a session is set to', async () => {
    const expected = await count('x')
    const other = await bench.open(server.urlOf('src'))
    await other.query('SET NAMES latin1')
    const { tables } = await readSchema(session, 'src')
    const options = { digests: true, history: false, signal: new AbortController().signal }
    expect((await countTables([other, session], 'src', tables, options)).get('x')).toEqual(expected)
    const rows = await countTables([other], 'src', tables, { ...options, digests: false })
    expect(rows.get('x')).toEqual({ rows: 4, digest: null, changingFloats: [] })
  })

  it('differ after any single change', async () => {
    const seen = new Map([[(await count('x'))?.digest, 'nothing']])
    for (const change of CHANGES) {
      await session.query('START TRANSACTION')
      await session.query(`UPDATE x ${change}`)
      const digest = (await count('x'))?.digest
      expect(`${change} looks like ${seen.get(digest)}`).toBe(`${change} looks like undefined`)
      seen.set(digest, change)
      await session.query('ROLLBACK')
    }
    await session.query('INSERT INTO x SELECT * FROM x WHERE id = 1')
    expect(seen.has((await count('x'))?.digest)).toBe(false)
  })

  it('name the FLOAT columns whose values no dump keeps', async () => {
    expect(await count('x')).toMatchObject({ changingFloats: [] })
    await session.query('UPDATE x SET f = 16777215 WHERE id = 2')
    expect(await count('x')).toMatchObject({ changingFloats: ['f'] })
  })

  it('see history where the dump has it', async () => {
    await session.query('CREATE TABLE y (a INT) WITH SYSTEM VERSIONING')
    await session.query('INSERT INTO y VALUES (1)')
    const [one, all] = [await count('y'), await count('y', true)]
    await session.query('UPDATE y SET a = 2')
    await session.query('UPDATE y SET a = 1')
    expect(await count('y')).toEqual(one)
    const changed = await count('y', true)
    expect(changed).toMatchObject({ rows: 3 })
    expect(changed?.digest).not.toBe(all?.digest)
    await session.query('SET SESSION system_versioning_insert_history = 1')
    await session.query('CREATE TABLE z LIKE y')
    await session.query(
      'INSERT INTO z (a, row_start, row_end) SELECT a, row_start, row_end FROM y FOR SYSTEM_TIME ALL',
    )
    expect(await count('z', true)).toEqual(changed)
    await session.query('DROP TABLE z')
  })

  it('see where a sequence is', async () => {
    await session.query('CREATE SEQUENCE q')
    const before = await count('q')
    await session.query('SELECT NEXTVAL(q)')
    const after = await count('q')
    expect(after?.digest).not.toBe(before?.digest)
    await session.query('CREATE SEQUENCE r')
    await session.query('DO SETVAL(r, 1001, 0)')
    expect(await count('r')).toEqual(after)
    await session.query('DROP SEQUENCE q, r')
  })

  it('cost little more than reading the rows as one text', async () => {
    await session.query(
      'CREATE TABLE y (id BIGINT, a INT, b INT NOT NULL, d DECIMAL(12,2), s VARCHAR(60), t VARCHAR(150))',
    )
    await session.query(
      `INSERT INTO y SELECT seq, seq * 7, seq, seq / 100, MD5(seq), CONCAT(MD5(seq), MD5(seq + 1), MD5(seq + 2), MD5(seq + 3))
       FROM seq_1_to_100000`,
    )
    const { tables } = await readSchema(session, 'src')
    const wanted = tables.filter(({ name }) => name === 'y')
    const options = { digests: true, history: false, signal: new AbortController().signal }
    const best = { plain: Number.POSITIVE_INFINITY, digest: Number.POSITIVE_INFINITY }
    for (let run = 0; run < 5; run += 1) {
      const begun = performance.now()
      await session.query("SELECT COUNT(*), SUM(CRC32(CONCAT_WS('#', id, a, b, d, s, t))) FROM y")
      const between = performance.now()
      await countTables([session], 'src', wanted, options)
      best.plain = Math.min(best.plain, between - begun)
      best.digest = Math.min(best.digest, performance.now() - between)
    }
    // 1.2 on an idle machine; what else runs is no concern of this test
    expect(best.digest / best.plain).toBeLessThan(2)
  })
})
