import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { Contents } from '../contents/contents-file.ts'
import { DrillBench } from '../testing/drill-bench.ts'
import type { Taken } from '../testing/dump-bench.ts'

/** Owners, privileges, policies and mappings of roles that exist on one server only. */
const OWNED = `
  CREATE TABLE mine (id serial PRIMARY KEY, name text);
  INSERT INTO mine (name) SELECT 'n' || i FROM generate_series(1, 100) AS i;
  ALTER TABLE mine OWNER TO "app owner";
  GRANT SELECT ON mine TO reader;
  ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
  ALTER TABLE mine FORCE ROW LEVEL SECURITY;
  CREATE POLICY few ON mine TO reader USING (id < 10);
  COMMENT ON POLICY few ON mine IS 'only a few';
  ALTER DEFAULT PRIVILEGES FOR ROLE "app owner" GRANT SELECT ON TABLES TO reader;
  CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl();
  SELECT lo_from_bytea(4711, 'a large object');`

let server: PostgresServer
let other: PostgresServer
let bench: DrillBench
let owned: Taken

beforeAll(async () => {
  const servers = [startPostgres(), startPostgres()] as const
  ;[server, other] = await Promise.all(servers)
  bench = await DrillBench.make(server)
  await server.createRole({ name: 'app owner' })
  await server.createRole({ name: 'reader' })
  owned = await bench.dumpOf(OWNED)
})
afterAll(async () => {
  await Promise.all([server?.stop(), other?.stop()])
  await bench?.remove()
})
afterEach(async () => {
  assert.deepEqual([...(await bench.own()), ...(await bench.own(other))], [])
})

describe('a drill on another server', () => {
  it('proves owners where their roles are, and says so where they are not', async () => {
    const here = await bench.check(owned)
    assert.ok(here.valid, here.message)
    assert.doesNotMatch(here.message, /owners/)
    const there = await bench.check(owned, { scratchUrl: other.url })
    assert.ok(there.valid, there.message)
    assert.match(
      there.message,
      /owners, privileges and row security were left out: roles are missing .*app owner, reader/,
    )
    assert.deepEqual(there.rowCounts, owned.summary.rowCounts)
  })

  it('needs no superuser', async () => {
    for (const place of [server, other]) {
      const role = await place.createRole({ attributes: 'CREATEDB' })
      const report = await bench.check(owned, { scratchUrl: place.urlOf('postgres', role) })
      assert.ok(report.valid, report.message)
      assert.match(report.message, /owners, privileges and row security were left out: /)
      assert.deepEqual(report.rowCounts, owned.summary.rowCounts)
    }
  })

  it('needs only the database that its URL names, or none', async () => {
    const role = await other.createRole({ attributes: 'CREATEDB' })
    await other.createDatabase('home')
    await other.sql('postgres', 'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC')
    try {
      const report = await bench.check(owned, { scratchUrl: other.urlOf('home', role) })
      assert.ok(report.valid, report.message)
      const lost = bench.check(owned, { scratchUrl: other.urlOf('', role) })
      const error = await rejectsWith('RESTORE_NOT_POSSIBLE', lost)
      assert.match(error.message, /connect to no database/)
    } finally {
      await other.sql('postgres', 'GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC')
    }
    const report = await bench.check(owned, { scratchUrl: other.urlOf('') })
    assert.ok(report.valid, report.message)
  })

  it('refuses a script whose roles are missing: they are in its text', async () => {
    const script = await bench.dumps.dump(await bench.database(OWNED), { format: 'plain' })
    const error = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.check(script, { scratchUrl: other.url }))
    assert.match(error.message, /roles are missing on the server: app owner, reader/)
    assert.match(error.hint ?? '', /create the roles.*format 'custom'/)
    const report = await bench.check(script)
    assert.ok(report.valid, report.message)
  })

  it('refuses a user that may not create databases, and says what to do', async () => {
    const role = await other.createRole({ name: 'poor' })
    const refused = bench.check(owned, { scratchUrl: other.urlOf('postgres', role) })
    const error = await rejectsWith('RESTORE_NOT_POSSIBLE', refused)
    assert.match(error.message, /user poor may not create databases/)
    assert.match(error.hint ?? '', /CREATEDB.*drillOn/)
  })

  const unlike: readonly (readonly [
    what: string,
    contents: (known: Contents) => Partial<Contents>,
    told: RegExp,
  ])[] = [
    [
      'an extension',
      () => ({ extensions: [{ name: 'postgis', version: '3.4', schema: 'public' }] }),
      /extensions are not installed on the server: postgis/,
    ],
    ['the version', () => ({ serverVersion: 990_001 }), /backup is of PostgreSQL 99\.1, the server is/],
    [
      'the locale',
      ({ database }) => ({ database: { ...database, collate: 'xx_XX.utf8' } }),
      /the server has not the locale of the source .*xx_XX/,
    ],
  ]
  it.each(unlike)('says nothing of the backup if the server has not %s', async (_what, change, told) => {
    const refused = bench.check(owned, { contents: change(owned.contents) })
    const error = await rejectsWith('RESTORE_NOT_POSSIBLE', refused)
    assert.match(error.message, told)
    assert.match(error.hint ?? '', /drillOn/)
  })

  it('tells which extensions have another version', async () => {
    const taken = await bench.dumpOf('CREATE EXTENSION hstore; CREATE TABLE t (a hstore)')
    const extensions = taken.contents.extensions.map((extension) => ({ ...extension, version: '0.1' }))
    const report = await bench.check(taken, { contents: { extensions } })
    assert.ok(report.valid, report.message)
    assert.match(report.message, /extension hstore is version .* here, it was 0\.1 in the source/)
  })

  it('minds no tablespaces', async () => {
    const directory = await server.makeDirectory('space')
    await server.sql('postgres', `CREATE TABLESPACE space LOCATION '${directory}'`)
    const taken = await bench.dumpOf('CREATE TABLE t TABLESPACE space AS SELECT 1 AS a')
    const report = await bench.check(taken, { scratchUrl: other.url })
    assert.ok(report.valid, report.message)
  })

  it('keeps encoding and locale of the source', async () => {
    const url = await server.createDatabase(undefined, `TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
    await bench.run(url, `CREATE TABLE t AS SELECT convert_from('\\xe4f6fc', 'LATIN1') AS a`)
    const report = await bench.check(await bench.dumps.dump(url), { scratchUrl: other.url })
    assert.ok(report.valid, report.message)
    assert.doesNotMatch(report.message, /only rows/)
  })

  it.each([
    ['TARGET_UNREACHABLE', (url: URL) => Object.assign(url, { port: '1' })],
    ['DATABASE_ACCESS_DENIED', (url: URL) => Object.assign(url, { password: 'wrong' })],
  ] as const)('is thrown: %s', async (code, change) => {
    await rejectsWith(code, bench.check(owned, { scratchUrl: change(new URL(other.url)).href }))
  })
})
