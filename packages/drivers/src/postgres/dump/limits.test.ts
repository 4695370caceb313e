import assert from 'node:assert/strict'
import { AppError } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import {
  fingerprintDifferences,
  never,
  postgresFingerprintOf,
  rejectsWith,
  seedEncodedText,
  startPostgres,
} from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { compareTables } from '../contents/compare-contents.ts'
import { listDatabases } from '../list-databases.ts'
import { DumpBench, databaseOf } from '../testing/dump-bench.ts'
import { inspectDatabase } from './inspect-database.ts'

let server: PostgresServer
let bench: DumpBench

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 2 } })
  bench = await DumpBench.make(server)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

async function database(script: string, options = ''): Promise<string> {
  const url = await server.createDatabase(undefined, options)
  await server.sql(databaseOf(url), script)
  return url
}

describe('a dump', () => {
  it('fails with the reason if a value is too large', async () => {
    // a line feed is two characters in a dump, and a gigabyte is the most that they may be
    const url = await database(
      `CREATE TABLE huge (content text); ALTER TABLE huge ALTER content SET COMPRESSION lz4;
       INSERT INTO huge SELECT repeat(E'\\n', 540000000)`,
    )
    const failure = await rejectsWith('TOOL_FAILED', bench.dump(url, { patience: { silentForMs: 30_000 } }))
    assert.match(failure.message, /a single value is larger/)
    await bench.drop(url)
  })

  it.each(['exact', 'off'] as const)('fails rather than leave out rows, counting %s', async (counting) => {
    const url = await database(
      `CREATE TABLE secured (id int); INSERT INTO secured SELECT generate_series(1, 10);
       ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON secured USING (id > 5)`,
    )
    const role = await server.createRole({ attributes: 'IN ROLE pg_read_all_data' })
    const failure = await rejectsWith(
      'DATABASE_ACCESS_DENIED',
      bench.dump(server.urlOf(databaseOf(url), role), { counting }),
    )
    assert.match(failure.message, /secured/)
    assert.equal((await bench.dump(url)).summary.rowCounts['public.secured'], 10)
  })

  it.each(['TABLE closed (id int)', 'SEQUENCE closed'])(
    'names %s if the user may not read it',
    async (what) => {
      const url = await database(`CREATE TABLE open (id int); CREATE ${what}; GRANT SELECT ON open TO PUBLIC`)
      const role = await server.createRole()
      const failure = await rejectsWith(
        'DATABASE_ACCESS_DENIED',
        bench.dump(server.urlOf(databaseOf(url), role)),
      )
      assert.match(failure.message, /closed/)
    },
  )

  it('fails if a large object may not be read', async () => {
    const url = await database('SELECT lo_create(0)')
    const role = await server.createRole()
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.dump(server.urlOf(databaseOf(url), role)))
  })

  it('is refused of a server, of unknown formats, and as a snapshot', async () => {
    const url = await server.createDatabase()
    await rejectsWith('INVALID_REQUEST', bench.dump(server.urlOf('').replace(/\/$/, '')))
    await rejectsWith('INVALID_REQUEST', bench.dump(url, { format: 'zip' }))
    await rejectsWith('INVALID_REQUEST', bench.dump(url, { mode: 'snapshot' }))
  })

  it.each(['LATIN1', 'SQL_ASCII', 'WIN1252'])('keeps every byte of text in %s', async (encoding) => {
    const url = await server.createDatabase(undefined, `TEMPLATE template0 LOCALE 'C' ENCODING '${encoding}'`)
    await seedEncodedText(url)
    for (const format of ['custom', 'plain']) {
      const taken = await bench.dump(url, { format })
      assert.equal(taken.contents.database.encoding, encoding)
      const copy = await bench.restore(taken)
      const [was, is] = [await postgresFingerprintOf(url), await postgresFingerprintOf(copy)]
      assert.deepEqual(fingerprintDifferences(was, is), [])
      assert.ok(taken.contents.digests)
      const { digests } = await bench.contentsOf(copy)
      assert.deepEqual(compareTables(taken.contents.digests, digests), { differences: [], warnings: [] })
    }
  })

  it('warns of names in no encoding, which it cannot count', async () => {
    const url = await server.createDatabase(undefined, `TEMPLATE template0 LOCALE 'C' ENCODING 'SQL_ASCII'`)
    const name = `convert_from('\\x74e9', 'SQL_ASCII')`
    await server.sql(
      databaseOf(url),
      `CREATE TABLE good (id int); INSERT INTO good VALUES (1);
       DO $$ BEGIN
         EXECUTE format('CREATE TABLE %I (id int)', ${name});
         EXECUTE format('ALTER TABLE good ADD COLUMN %I int', ${name});
         EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), ${name});
       END $$`,
    )
    const taken = await bench.dump(url)
    assert.deepEqual(taken.summary.rowCounts, { 'public.good': 1 })
    assert.ok(taken.summary.warnings.some((text) => /names in no known encoding/.test(text)))
    assert.ok(taken.summary.warnings.some((text) => /comment or a setting/.test(text)))
    const copy = await bench.restore(taken)
    const [row] = await server.sql(
      databaseOf(copy),
      `SELECT count(*)::int AS n FROM pg_class WHERE relname = ${name}`,
    )
    assert.deepEqual(row, { n: 1 })
  })

  it('tells progress up to its size, and never backwards', async () => {
    const url = await database('CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 300000) n')
    const seen: number[] = []
    const { summary } = await bench.dump(url, { onProgress: ({ bytes }) => seen.push(bytes) })
    assert.equal(seen.at(-1), summary.sizeBytes)
    assert.deepEqual(
      seen,
      seen.toSorted((one, other) => one - other),
    )
  })
})

describe('inspecting', () => {
  it('tells what a dump of the database would not be expected to be', async () => {
    const url = await database(
      `CREATE UNLOGGED TABLE fast (id int); CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1);
       CREATE MATERIALIZED VIEW empty AS SELECT 1 AS one WITH NO DATA`,
    )
    const name = databaseOf(url)
    await server.sql(name, 'CREATE UNIQUE INDEX CONCURRENTLY wrong ON t (id)').catch(() => {})
    await server.sql(name, `BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'x'`)
    try {
      const info = await inspectDatabase(bench.parts(url), never)
      assert.match(info.version, /^\d+\.\d+$/)
      assert.ok(info.sizeBytes > 1_000_000)
      assert.equal(info.details.encoding, 'UTF8')
      const text = info.warnings.join('\n')
      for (const expected of ['public.fast', 'public.wrong', 'public.empty', 'prepared transactions']) {
        assert.ok(text.includes(expected), `${expected} in ${text}`)
      }
    } finally {
      await server.sql(name, `ROLLBACK PREPARED 'x'`)
    }
  })

  it('looks at a server as a whole, and lists its databases', async () => {
    const odd = 'it\'s "odd" $(id)'
    await server.createDatabase(odd)
    await server.createDatabase('a template', 'IS_TEMPLATE true')
    await server.createDatabase('closed', 'ALLOW_CONNECTIONS false')
    await server.createDatabase('holdfast_new_00000000000070008000000000000001')
    await server.createDatabase('half dropped')
    await server.sql('postgres', `UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half dropped'`)
    const url = server.urlOf('').replace(/\/$/, '')
    const info = await inspectDatabase(bench.parts(url), never)
    assert.ok(Number(info.details.databases) >= 3)
    const names = await listDatabases(bench.parts(url), never)
    assert.ok(names.includes(odd) && names.includes('postgres'))
    for (const other of [
      'a template',
      'closed',
      'half dropped',
      'template1',
      'holdfast_new_00000000000070008000000000000001',
    ]) {
      assert.ok(!names.includes(other), other)
    }
  })

  it('names what is wrong with a login or a name', async () => {
    const url = await server.createDatabase()
    const wrong = { name: server.superuser.name, password: 'canary-password' }
    for (const path of [databaseOf(url), '']) {
      const refusal = await rejectsWith(
        'DATABASE_ACCESS_DENIED',
        inspectDatabase(bench.parts(server.urlOf(path, wrong).replace(/\/$/, '')), never),
      )
      assert.ok(refusal instanceof AppError && !`${refusal.message}${refusal.hint}`.includes('canary'))
    }
    await rejectsWith('DATABASE_NOT_FOUND', inspectDatabase(bench.parts(server.urlOf('nothing')), never))
  })
})
