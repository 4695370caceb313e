import assert from 'node:assert/strict'
import type { DumpFilter } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { compareTables } from '../contents/compare-contents.ts'
import type { Taken } from '../testing/dump-bench.ts'
import { DumpBench, databaseOf } from '../testing/dump-bench.ts'

const SCRIPT = `
  CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE ext.beside (id int);
  CREATE SCHEMA app; CREATE SCHEMA log; CREATE SCHEMA "Odd.schema";
  CREATE TYPE app.kind AS ENUM ('a', 'b'); CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE TABLE app.customers (id serial PRIMARY KEY, kind app.kind, extra ext.hstore);
  CREATE TABLE app.orders (id int PRIMARY KEY, customer int REFERENCES app.customers);
  CREATE VIEW app.latest AS SELECT max(id) FROM app.orders;
  CREATE TABLE app.events (at int) PARTITION BY RANGE (at);
  CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM (0) TO (10);
  CREATE TABLE app.events_2 PARTITION OF app.events FOR VALUES FROM (10) TO (20);
  CREATE TABLE log.entries (id bigserial, customer int REFERENCES app.customers, text text);
  CREATE TABLE log.entries_old (id int);
  CREATE TABLE "Odd.schema"."t" (id int); CREATE TABLE "Odd.schema"."$x|y.*" (id int); CREATE TABLE "Odd.schema"."it's ""x""" (id int);
  CREATE TABLE public.settings (id int);
  INSERT INTO app.customers (kind) VALUES ('a'), ('b'); INSERT INTO app.orders VALUES (1, 1);
  INSERT INTO app.events VALUES (1), (2), (11); INSERT INTO log.entries (customer) VALUES (1), (1), (2);
  SELECT lo_from_bytea(0, '\\x01');`

let server: PostgresServer
let bench: DumpBench
let url: string

beforeAll(async () => {
  server = await startPostgres()
  bench = await DumpBench.make(server)
  url = await server.createDatabase()
  await server.sql(databaseOf(url), SCRIPT)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

const dump = (filter: Partial<DumpFilter>, format = 'custom') =>
  bench.dump(url, { format, filter: { include: [], exclude: [], ...filter } })

/** Tables that are counted, of a dump that plain tools have restored to just these. */
async function tablesIn(taken: Taken): Promise<readonly string[]> {
  const copy = await bench.restore(taken)
  const found = await bench.contentsOf(copy)
  assert.ok(taken.contents.digests)
  assert.deepEqual(compareTables(taken.contents.digests, found.digests), { differences: [], warnings: [] })
  const extensions = await server.sql(databaseOf(copy), "SELECT FROM pg_extension WHERE extname = 'hstore'")
  assert.equal(extensions.length, 1)
  assert.equal(taken.summary.rowCounts['large objects'], 1)
  await bench.drop(copy)
  return Object.keys(found.digests.tables).filter((key) => key !== 'large objects')
}

describe('a filter', () => {
  it.each(['custom', 'plain', 'directory', 'tar'])(
    'includes a schema with all in it, and what belongs to no schema, in format %s',
    async (format) => {
      const taken = await dump({ include: ['app'] }, format)
      assert.deepEqual(await tablesIn(taken), ['app.customers', 'app.events', 'app.orders'])
      assert.equal(taken.summary.rowCounts['app.events'], 3)
      assert.deepEqual(taken.contents.leftOut?.schemas, ['Odd.schema', 'log', 'public'])
      assert.deepEqual(taken.contents.leftOut?.tables, ['ext.beside'])
      assert.equal(taken.summary.details.leftOut, '3 schemas (Odd.schema, log, public), 1 table (ext.beside)')
      assert.ok(taken.summary.warnings.some((text) => text.startsWith('left out: 3 schemas')))
    },
  )

  it('includes a table with the schema around it', async () => {
    const taken = await dump({ include: ['app.customers', 'public'] })
    assert.deepEqual(await tablesIn(taken), ['app.customers', 'public.settings'])
    assert.deepEqual(Object.keys(taken.contents.sequences), ['app.customers_id_seq'])
  })

  it('excludes tables with their sequences, and single partitions', async () => {
    const taken = await dump({ exclude: ['log.entries', 'app.events_1'] })
    const tables = await tablesIn(taken)
    assert.ok(tables.includes('log.entries_old') && !tables.includes('log.entries'))
    assert.equal(taken.summary.rowCounts['app.events'], 1)
    assert.ok(!Object.keys(taken.contents.sequences).includes('log.entries_id_seq'))
  })

  it('excludes a table with its partitions', async () => {
    const tables = await tablesIn(await dump({ exclude: ['app.events'] }))
    assert.ok(!tables.some((key) => key.startsWith('app.events')))
  })

  it('takes stars, question marks, and quotes around what is meant to the letter', async () => {
    const taken = await dump({
      include: ['l?g.ent*', '"Odd.schema".$x|y?*', '"Odd.schema"."it\'s ""x"""', 'app'],
    })
    assert.deepEqual(await tablesIn(taken), [
      '"Odd.schema"."$x|y.*"',
      `"Odd.schema"."it's ""x"""`,
      'app.customers',
      'app.events',
      'app.orders',
      'log.entries',
      'log.entries_old',
    ])
  })

  it('leaves out tables whatever their names', async () => {
    const exclude = ['"Odd.schema"."$x|y.*"', '"Odd.schema"."it\'s ""x"""', '"Odd.schema".nothing']
    const taken = await dump({ exclude })
    const tables = await tablesIn(taken)
    assert.deepEqual(
      tables.filter((key) => key.startsWith('"Odd')),
      ['"Odd.schema".t'],
    )
    assert.ok(taken.summary.warnings.some((text) => text.includes('excludes "Odd.schema".nothing')))
  })

  it('that leaves nothing out is as good as none', async () => {
    const taken = await dump({ include: ['*'] })
    assert.equal(taken.contents.leftOut, null)
    assert.equal(taken.summary.details.leftOut, undefined)
  })

  it.each([
    [{ include: ['app', 'nothing'] }, /nothing/],
    [{ include: ['app.nothing*'] }, /app\.nothing\*/],
    [{ include: ['App'] }, /App/],
    [{ include: ['a.b.c'] }, /not a pattern/],
    [{ include: ['app.'] }, /not a pattern/],
    [{ include: ['"app'] }, /not a pattern/],
    [{ exclude: ['*'] }, /nothing of the database/],
  ] as const)('is refused: %j', async (filter, reason) => {
    const refusal = await rejectsWith('INVALID_REQUEST', dump(filter))
    assert.match(refusal.message, reason)
  })

  it.each([
    ['log.entries', /customer.*needs.*app\.customers/],
    ['app.latest', /app\.latest needs.*app\.orders/],
    ['app.events_1', /app\.events_1.*needs.*app\.events/],
  ])('is refused if %s were kept without what it needs', async (include, reason) => {
    const refusal = await rejectsWith('INVALID_REQUEST', dump({ include: [include] }))
    assert.match(refusal.message, reason)
  })

  it('is refused if a kept schema needs a type of one that is left out', async () => {
    const other = await server.createDatabase()
    await server.sql(
      databaseOf(other),
      `CREATE SCHEMA a; CREATE SCHEMA b; CREATE TYPE a.kind AS ENUM ('x'); CREATE TABLE b.t (k a.kind[]);
       CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE b.u (n int DEFAULT a.f())`,
    )
    const filter = { include: [], exclude: ['a'] }
    const refusal = await rejectsWith('INVALID_REQUEST', bench.dump(other, { filter }))
    assert.match(refusal.message, /table b\.t needs type a\.kind/)
    assert.match(refusal.message, /needs function a\.f\(\)/)
  })

  it.each(['LATIN1', 'SQL_ASCII'])(
    'knows names with accents in a database of encoding %s',
    async (encoding) => {
      const other = await server.createDatabase(
        undefined,
        `TEMPLATE template0 LOCALE 'C' ENCODING '${encoding}'`,
      )
      await server.sql(
        databaseOf(other),
        `CREATE SCHEMA "größe"; CREATE TABLE "größe".x (id int); CREATE TABLE "müller" (id int);
       CREATE TABLE mueller (name text); INSERT INTO mueller VALUES ('Müller')`,
      )
      const filter = { include: [], exclude: ['größe', 'public.müller'] }
      const taken = await bench.dump(other, { filter })
      const copy = await bench.restore(taken)
      const { digests } = await bench.contentsOf(copy)
      assert.ok(taken.contents.digests)
      assert.deepEqual(compareTables(taken.contents.digests, digests), { differences: [], warnings: [] })
      assert.deepEqual(Object.keys(digests.tables), ['public.mueller'])
    },
  )

  it('knows names that the encoding of the client would not say', async () => {
    const other = await server.createDatabase()
    await server.sql(
      databaseOf(other),
      `CREATE TABLE "müller" (id int); CREATE TABLE prices (price text); INSERT INTO prices VALUES ('10 €')`,
    )
    await server.sql('postgres', `ALTER DATABASE "${databaseOf(other)}" SET client_encoding = 'LATIN1'`)
    const taken = await bench.dump(other, { filter: { include: [], exclude: ['public.müller'] } })
    const copy = await bench.restore(taken)
    const { digests } = await bench.contentsOf(copy)
    assert.deepEqual(digests.tables, taken.contents.digests?.tables)
  })
})
