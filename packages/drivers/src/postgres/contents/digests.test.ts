import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { PostgresServer } from '@holdfast/testing'
import { never, rejectsWith, seedEverything, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { databaseOf } from '../testing/dump-bench.ts'
import { SessionBench } from '../testing/session-bench.ts'
import { compareSequences, compareTables } from './compare-contents.ts'
import type { DigestMethod } from './contents-file.ts'
import { countDatabase } from './count-database.ts'
import { countTables } from './count-tables.ts'
import { listRelations } from './list-relations.ts'
import { listTables } from './list-tables.ts'

/** One change each, by `-- what => where` above it. */
const CHANGES = new URL('../../../../testing/src/postgres/changes/values.sql', import.meta.url)
const OBJECT = 'SELECT FROM pg_largeobject_metadata WHERE oid = 4002'
const METHODS = ['record', 'text'] as const

let server: PostgresServer
const sessions = new SessionBench()

beforeAll(async () => {
  server = await startPostgres()
})

afterAll(() => server?.stop())

afterEach(() => sessions.closeAll())

/** Rows and digest of one table, or of all large objects. */
async function countOne(url: string, key: string, method: DigestMethod = 'record') {
  const session = await sessions.open(url)
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const tables = await listTables(session, await listRelations(session))
  const share = { session, tables: tables.filter((table) => table.key === key) }
  const { tables: counts } = await countTables([share], method, never)
  await session.close()
  return counts[key]
}

async function database(script: string): Promise<string> {
  const url = await server.createDatabase()
  await server.sql(databaseOf(url), script)
  return url
}

describe('a digest', () => {
  it('sees every change of a value, by both methods', async () => {
    const url = await server.createDatabase()
    await seedEverything(url)
    await server.sql('postgres', `ALTER DATABASE ${databaseOf(url)} RESET ALL`)
    const changes = (await readFile(CHANGES, 'utf8')).split(/^-- /m).slice(1)
    let seen = 0
    for (const change of changes) {
      const [title = '', ...statements] = change.split('\n')
      const where = / => rows ([\w.]+)/.exec(title)?.[1]
      const key = where ?? (title.includes('=> large object') ? 'large objects' : null)
      if (key === null) continue
      // each change stands for itself, one of them after another that took this away
      await server.sql(databaseOf(url), `SELECT lo_create(4002) WHERE NOT EXISTS (${OBJECT})`)
      const before = await Promise.all(METHODS.map((method) => countOne(url, key, method)))
      await server.sql(databaseOf(url), statements.join('\n'))
      const after = await Promise.all(METHODS.map((method) => countOne(url, key, method)))
      for (const index of METHODS.keys()) {
        assert.notEqual(before[index], undefined, title)
        assert.notDeepEqual(after[index], before[index], `${METHODS[index]} does not see ${title}`)
      }
      seen += 1
    }
    assert.ok(seen >= 40, `${seen}`)
  })

  it.each(METHODS)(
    'by %s is equal for equal rows, whatever their order, columns and numbers',
    async (method) => {
      const kinds = "CREATE TYPE kind AS ENUM ('a', 'b'); CREATE DOMAIN short AS varchar(9);"
      const rows = `SELECT CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END::kind, n::text::short, 't'::regclass, n, 'x'::char(5)`
      const one = await database(
        `${kinds} CREATE TABLE t (k kind, s short, r regclass, n int, c char(5));
       INSERT INTO t ${rows} FROM generate_series(1, 500) n`,
      )
      const other = await database(
        `CREATE TABLE filler (); CREATE TYPE another AS ENUM ('z'); ${kinds}
       CREATE TABLE t (n int, gone int, c char(5), r regclass, k kind, s short);
       ALTER TABLE t DROP COLUMN gone;
       INSERT INTO t (k, s, r, n, c) ${rows} FROM generate_series(500, 1, -1) n`,
      )
      const [was, is] = await Promise.all([
        countOne(one, 'public.t', method),
        countOne(other, 'public.t', method),
      ])
      assert.equal(was?.rows, 500)
      assert.deepEqual(is, was)
    },
  )

  it('is that of the whole table, wherever its partitions hold the rows', async () => {
    const rows = 'INSERT INTO t SELECT n, n FROM generate_series(1, 100) n'
    const one = await database(
      `CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t_all PARTITION OF t DEFAULT; ${rows}`,
    )
    const other = await database(
      `CREATE TABLE t (b int, a int) PARTITION BY RANGE (a);
       CREATE TABLE t_low (a int, gone int, b int); ALTER TABLE t_low DROP COLUMN gone;
       ALTER TABLE t ATTACH PARTITION t_low FOR VALUES FROM (0) TO (50);
       CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (50) TO (1000) PARTITION BY HASH (b);
       CREATE TABLE t_high_0 PARTITION OF t_high FOR VALUES WITH (MODULUS 1, REMAINDER 0); ${rows}`,
    )
    assert.deepEqual(await countOne(other, 'public.t'), await countOne(one, 'public.t'))
    assert.equal(await countOne(other, 'public.t_low'), undefined)
  })

  it('leaves out partitions that are elsewhere', async () => {
    const url = await database(
      `CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (port '1');
       CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t_here PARTITION OF t FOR VALUES IN (1, 2);
       CREATE FOREIGN TABLE t_away PARTITION OF t FOR VALUES IN (3) SERVER away; INSERT INTO t VALUES (1), (2);
       CREATE TABLE same (a int); INSERT INTO same VALUES (1), (2)`,
    )
    assert.deepEqual(await countOne(url, 'public.t'), await countOne(url, 'public.same'))
  })

  it('takes as many columns as a table can have', async () => {
    const columns = Array.from({ length: 1600 }, (_, index) => `c${index} char(2)`)
    const url = await database(
      `CREATE TABLE t (${columns.join(', ')}); INSERT INTO t (c0, c1599) VALUES ('a', 'b')`,
    )
    for (const method of METHODS) {
      const before = await countOne(url, 'public.t', method)
      await server.sql(databaseOf(url), `UPDATE t SET c1599 = CASE c1599 WHEN 'b' THEN 'c' ELSE 'b' END`)
      assert.notDeepEqual(await countOne(url, 'public.t', method), before)
    }
  })

  it('of large objects does not depend on how their pages lie', async () => {
    const one = await database(`SELECT lo_from_bytea(7, decode(repeat('00', 5000) || 'ff', 'hex'))`)
    const sparse = await database(`SELECT lo_create(7), lo_put(7, 5000, '\\xff')`)
    assert.deepEqual(await countOne(sparse, 'large objects'), await countOne(one, 'large objects'))
    const long = await database(
      `SELECT lo_from_bytea(7, decode(repeat('ab', 1048576), 'hex')), lo_create(8), lo_put(9, 3000000, '\\x01')
       FROM (SELECT lo_create(9)) AS nine`,
    )
    const count = await countOne(long, 'large objects')
    assert.equal(count?.rows, 3)
    await server.sql(databaseOf(long), `SELECT lo_put(9, 2000000, '\\x02')`)
    assert.notDeepEqual(await countOne(long, 'large objects'), count)
  })

  it('is refused where rows are hidden from the user', async () => {
    const url = await database('CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY')
    const role = await server.createRole({ attributes: 'IN ROLE pg_read_all_data' })
    await rejectsWith('DATABASE_ACCESS_DENIED', countOne(server.urlOf(databaseOf(url), role), 'public.t'))
  })
})

describe('comparing contents', () => {
  it('names tables that are missing, too many, longer or other, and forgives stale views', async () => {
    const url = await database(
      `CREATE TABLE same (a int); CREATE TABLE longer (a int); CREATE TABLE other (a int); CREATE TABLE missing ();
       INSERT INTO other VALUES (1); CREATE MATERIALIZED VIEW stale AS SELECT * FROM longer;
       CREATE SEQUENCE moved; CREATE SEQUENCE kept`,
    )
    const count = async () => {
      const opened = [await sessions.open(url), await sessions.open(url)] as const
      return await countDatabase(opened, 'record', never)
    }
    const before = await count()
    await server.sql(
      databaseOf(url),
      `INSERT INTO longer VALUES (1); UPDATE other SET a = 2; DROP TABLE missing; CREATE TABLE "Too Many" ();
       REFRESH MATERIALIZED VIEW stale; SELECT setval('moved', 7)`,
    )
    const after = await count()
    const { differences, warnings } = compareTables(before.digests, after.digests)
    assert.deepEqual(differences.toSorted(), [
      'public."Too Many" was not in the source',
      'public.longer has 1 rows, the source had 0',
      'public.missing is missing',
      'public.other has other contents than the source had',
    ])
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /public\.stale has 1 rows/)

    const elsewhere = compareTables(before.digests, { ...before.digests, probe: 'LATIN1:1' })
    assert.deepEqual(elsewhere.differences, [])
    assert.equal(elsewhere.warnings.length, 1)

    const states = Object.fromEntries(before.sequences)
    const ranges = Object.fromEntries(
      Object.entries(states).map(([key, at]) => [key, { before: at, after: at }]),
    )
    assert.deepEqual(compareSequences(ranges, before.sequences), [])
    assert.deepEqual(compareSequences(ranges, after.sequences), [
      'sequence public.moved is at 7, the source was at 1',
    ])
    const moved = after.sequences.get('public.moved')
    const first = before.sequences.get('public.moved')
    assert.ok(moved && first)
    assert.deepEqual(
      compareSequences({ 'public.moved': { before: first, after: moved } }, after.sequences),
      [],
    )
  })
})
