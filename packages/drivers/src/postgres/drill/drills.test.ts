import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, seedEverything, startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DrillBench } from '../testing/drill-bench.ts'
import type { Taken } from '../testing/dump-bench.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const

/** Something of every kind that is compared. */
const CONTENT = `
  CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL);
  INSERT INTO people (name) SELECT 'person ' || i FROM generate_series(1, 1000) AS i;
  CREATE TABLE "no rows" ();
  CREATE TABLE parts (a int, b text) PARTITION BY HASH (a);
  CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO parts SELECT i, i::text FROM generate_series(1, 200) AS i;
  CREATE SEQUENCE numbers; SELECT nextval('numbers'), nextval('numbers');
  CREATE MATERIALIZED VIEW names AS SELECT name FROM people;
  SELECT lo_from_bytea(4711, 'a large object');`

let server: PostgresServer
let bench: DrillBench

beforeAll(async () => {
  server = await startPostgres()
  bench = await DrillBench.make(server)
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})
afterEach(async () => {
  assert.deepEqual(await bench.own(), [])
  assert.deepEqual(await bench.dumps.sessions(), [])
})

const known = new Map<string, Promise<Taken>>()

/** The dump of a database with one of each, taken once. */
function usual(format: string): Promise<Taken> {
  const taken = known.get(format) ?? bench.dumpOf(CONTENT, format)
  known.set(format, taken)
  return taken
}

/** A copy of a dump in a file of its own, in which one text is another one. */
async function edited(taken: Taken, from: string, to: string): Promise<Taken> {
  const text = await readFile(taken.file, 'latin1')
  assert.equal(text.split(from).length, 2, `${from} is there once`)
  const file = join(await mkdtemp(join(dirname(taken.file), 'edited-')), 'dump')
  await copyFile(taken.file, file)
  await writeFile(file, text.replace(from, to), 'latin1')
  return { ...taken, file }
}

describe('a drill', () => {
  it.each(FORMATS)('finds the contents of the source in a dump of format %s', async (format) => {
    const taken = await usual(format)
    const progress: number[] = []
    const report = await bench.check(taken, { onProgress: ({ bytes }) => progress.push(bytes) })
    assert.ok(report.valid, report.message)
    assert.match(
      report.message,
      /restored on PostgreSQL \d+\.\d+ in \d+ s, 5 tables and 2 sequences as in the source$/,
    )
    assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
    assert.equal(progress.at(-1), taken.summary.sizeBytes)
    assert.deepEqual(await readdir(dirname(taken.file)), ['dump'])
  })

  it('matches exactly although every table was written to during the dump', async () => {
    const tables = Array.from({ length: 8 }, (_, index) => `w${index}`)
    const create = tables.map(
      (name) => `CREATE TABLE ${name} (id serial PRIMARY KEY, v int NOT NULL, pad text);
      INSERT INTO ${name} (v, pad) SELECT i, repeat('x', 200) FROM generate_series(1, 4000) AS i;`,
    )
    const url = await bench.database(create.join('\n'))
    const stop = new AbortController()
    const writers = [0, 1].map(() => writeUntil(url, tables, stop.signal))
    await delay(100)
    const dumps = []
    try {
      for (const format of ['custom', 'directory']) dumps.push(await bench.dumps.dump(url, { format }))
    } finally {
      stop.abort()
    }
    const written = await Promise.all(writers)
    assert.ok(Math.min(...written) > 20, `written ${written}`)
    const counts = dumps.map(({ summary }) => JSON.stringify(summary.rowCounts))
    assert.notEqual(counts[0], counts[1])
    for (const taken of dumps) {
      const report = await bench.check(taken)
      assert.ok(report.valid, report.message)
      assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
    }
  })

  it.each([
    ['a changed value', '500\tperson 500\n', '500\tperson 5OO\n', /^public\.people has other contents/],
    [
      'values that changed places',
      '1\tperson 1\n2\tperson 2\n',
      '1\tperson 2\n2\tperson 1\n',
      /other contents/,
    ],
    ['a lost row', '500\tperson 500\n', '', /^public\.people has 999 rows, the source had 1000/],
    [
      'an added row',
      '500\tperson 500\n',
      '500\tperson 500\n5000\tperson\n',
      /has 1001 rows, the source had 1000/,
    ],
    ['a changed large object', '\\x61206c61726765', '\\x41206c61726765', /^large objects has other contents/],
    [
      'a sequence elsewhere',
      "'public.numbers', 2, true",
      "'public.numbers', 1, true",
      /^sequence public\.numbers is at 1/,
    ],
  ])('finds %s', async (_what, from, to, difference) => {
    const changed = await edited(await usual('plain'), from, to)
    const report = await bench.checkChanged(changed)
    assert.equal(report.valid, false)
    const [, told = ''] = /but it is not the same: (.*)$/.exec(report.message) ?? []
    assert.match(told, difference, report.message)
    assert.ok(!report.message.includes('person'), report.message)
  })

  it.each(['custom', 'plain'])(
    'finds everything that PostgreSQL knows in a dump of format %s',
    async (format) => {
      const url = await server.createDatabase()
      await seedEverything(url, { subscription: format === 'custom' })
      const taken = await bench.dumps.dump(url, { format })
      const report = await bench.check(taken)
      assert.ok(report.valid, report.message)
      assert.match(report.message, / as in the source$/)
      assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
    },
  )

  it('finds what is missing and what is new', async () => {
    const taken = await usual('custom')
    const { digests } = taken.contents
    assert.ok(digests)
    const { 'public.people': people, ...others } = digests.tables
    assert.ok(people)
    const tables = { ...others, 'public.gone': people }
    const report = await bench.check(taken, { contents: { digests: { ...digests, tables } } })
    assert.equal(report.valid, false)
    assert.match(report.message, /public\.gone is missing; public\.people was not in the source/)
  })

  it('compares only rows if the other server makes digests in another way', async () => {
    const taken = await usual('custom')
    const { digests } = taken.contents
    assert.ok(digests)
    const people = { rows: 1000, digest: '1' }
    const other = {
      ...digests,
      probe: 'of another processor',
      tables: { ...digests.tables, 'public.people': people },
    }
    const report = await bench.check(taken, { contents: { digests: other } })
    assert.ok(report.valid, report.message)
    assert.match(report.message, /only rows were compared/)
    assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
  })

  it('compares digests that were made of text, as those of old servers are', async () => {
    const taken = await usual('plain')
    const { digests } = await bench.dumps.contentsOf(await bench.dumps.restore(taken), 'text')
    const report = await bench.check(taken, { contents: { digests } })
    assert.ok(report.valid, report.message)
    assert.doesNotMatch(report.message, /only rows/)
    const changed = await edited(taken, '500\tperson 500\n', '500\tperson 5OO\n')
    assert.match((await bench.checkChanged(changed, { contents: { digests } })).message, /other contents/)
  })

  it.each(['estimate', 'off'] as const)(
    'loads, and says that nothing was compared, after counting %s',
    async (counting) => {
      const taken = await bench.dumps.dump(await bench.database(CONTENT), { counting })
      const report = await bench.check(taken)
      assert.ok(report.valid, report.message)
      assert.equal(report.rowCounts, null)
      assert.match(report.message, /tables were not compared/)
    },
  )

  it('minds no rows of materialised views that were not up to date', async () => {
    const stale = `${CONTENT}; INSERT INTO people (name) VALUES ('new');`
    const taken = await bench.dumpOf(stale)
    const report = await bench.check(taken)
    assert.ok(report.valid, report.message)
    assert.match(report.message, /materialised view public\.names has 1001 rows.*not up to date/)
    assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
  })

  it('does without a database to compare if rows were left out', async () => {
    const url = await bench.database(CONTENT)
    const taken = await bench.dumps.dump(url, { filter: { include: [], exclude: ['public.parts'] } })
    const report = await bench.check(taken)
    assert.ok(report.valid, report.message)
    assert.deepEqual(report.rowCounts, taken.summary.rowCounts)
  })

  it('leaves a subscription behind nowhere, and needs none', async () => {
    const connection = 'host=127.0.0.1 port=1 dbname=nowhere'
    for (const format of ['custom', 'plain']) {
      const subscription = `CREATE SUBSCRIPTION s${format} CONNECTION '${connection}' PUBLICATION p WITH (connect = false)`
      const taken = await bench.dumpOf(
        `${CONTENT}; CREATE PUBLICATION p FOR ALL TABLES;
        COMMENT ON PUBLICATION p IS 'all'; ${subscription}`,
        format,
      )
      const report = await bench.check(taken)
      assert.ok(report.valid, report.message)
    }
    // those of the sources keep their databases from being dropped with the server's own means
    const left = await server.sql(
      'postgres',
      "SELECT subname FROM pg_subscription WHERE subname IN ('scustom', 'splain') ORDER BY 1",
    )
    assert.deepEqual(left, [{ subname: 'scustom' }, { subname: 'splain' }])
  })

  it.each(['custom', 'plain'])(
    'is not disturbed by event triggers in a dump of format %s',
    async (format) => {
      const quiet = `${CONTENT}
      CREATE TABLE audit (tag text);
      CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN IF tg_tag LIKE 'CREATE%' THEN RAISE EXCEPTION 'nobody creates'; END IF; END $$;
      CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch()`
      const report = await bench.check(await bench.dumpOf(quiet, format))
      assert.ok(report.valid, report.message)
    },
  )
})

describe('a drill without a server', () => {
  it('is refused with what to do, but a bad dump is told', async () => {
    const taken = await bench.dumpOf('CREATE TABLE t ()')
    const error = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.check(taken, { scratchUrl: null }))
    assert.match(error.hint ?? '', /drillOn/)
    const bad = await edited(taken, 'PGDMP', 'PGDMQ')
    assert.equal((await bench.checkChanged(bad, { scratchUrl: null })).valid, false)
  })
})

/** Changes rows of all tables, adds and removes some. Returns how often. */
async function writeUntil(url: string, tables: readonly string[], stop: AbortSignal): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  let times = 0
  try {
    while (!stop.aborted) {
      for (const table of tables) {
        await client.query(`BEGIN; UPDATE ${table} SET v = v + 1 WHERE id % 100 = ${times % 100};
          DELETE FROM ${table} WHERE id = (SELECT min(id) FROM ${table});
          INSERT INTO ${table} (v) VALUES (1), (2); COMMIT`)
      }
      times += 1
    }
    return times
  } finally {
    await client.end()
  }
}
