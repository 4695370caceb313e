import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DrillBench } from '../testing/drill-bench.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const

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

const UNQUALIFIED = `
  CREATE FUNCTION helper(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
  CREATE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN helper($1); END';
  CREATE TABLE secrets (x int, y text);
  INSERT INTO secrets VALUES (1, 'hunter2'), (2, 'hunter3');`

describe('a database that can be dumped and not restored', () => {
  const broken: readonly (readonly [what: string, sql: string, object: RegExp])[] = [
    ['a materialised view', 'CREATE MATERIALIZED VIEW mine AS SELECT twice(x) FROM secrets', /mine/],
    ['a CHECK', 'ALTER TABLE secrets ADD CHECK (twice(x) > 0)', /secrets/],
    ['an index on an expression', 'CREATE INDEX mine ON secrets ((twice(x)))', /mine/],
    [
      'a generated column',
      'ALTER TABLE secrets ADD mine int GENERATED ALWAYS AS (twice(x)) STORED',
      /secrets/,
    ],
  ]
  const inCustom = broken.map(([what, sql, object]) => [what, 'custom', sql, object] as const)
  const [view] = broken
  const others = FORMATS.slice(1).map((format) => [view?.[0], format, view?.[1] ?? '', /mine/] as const)
  const cases = [...inCustom, ...others]

  it.each(cases)(
    'with %s, in format %s, is reported with the object that fails',
    async (_what, format, sql, object) => {
      const taken = await bench.dumpOf(`${UNQUALIFIED} ${sql}`, format)
      const report = await bench.check(taken)
      assert.equal(report.valid, false)
      assert.match(report.message, /^not restorable: /)
      assert.match(report.message, /function helper\(integer\) does not exist/)
      assert.match(report.message, object)
      assert.ok(!/hunter|SELECT|\$1/.test(report.message), report.message)
      assert.equal(report.rowCounts, null)
    },
  )

  it.each([
    ['an error of its own', 'plpgsql', "RAISE 'value hunter2'", /refused it.*mine/],
    ['a violated CHECK', 'plpgsql', 'RETURN false', /rows violate the check constraint "mine" .*secrets/],
    ['a division by zero', 'plpgsql', 'RETURN 1 / (x - 2) = 1', /refused it.*mine/],
  ])('is reported with the object that fails, also for %s', async (what, language, statement, told) => {
    const cause = `${UNQUALIFIED}
      CREATE FUNCTION ours(x int) RETURNS boolean LANGUAGE ${language} AS
        $$ BEGIN IF current_setting('application_name') LIKE 'holdfast-%' THEN ${statement}; END IF; RETURN true; END $$;`
    const use = what.includes('CHECK')
      ? 'ALTER TABLE secrets ADD CONSTRAINT mine CHECK (public.ours(x))'
      : 'CREATE MATERIALIZED VIEW mine AS SELECT public.ours(x) FROM secrets'
    const report = await bench.check(await bench.dumpOf(`${cause} ${use}`))
    assert.equal(report.valid, false)
    assert.match(report.message, /^not restorable: /)
    assert.match(report.message, told)
    assert.ok(!report.message.includes('hunter'), report.message)
  })

  it('is reported if a statement before the failure is long', async () => {
    const long = `CREATE FUNCTION long() RETURNS int LANGUAGE sql AS 'SELECT 1 /* ${'x'.repeat(300_000)} */ FROM nowhere'`
    const cause = `${UNQUALIFIED} CREATE TABLE nowhere (); ${long};
      CREATE MATERIALIZED VIEW mine AS SELECT twice(x) FROM secrets`
    const report = await bench.check(await bench.dumpOf(cause))
    assert.match(report.message, /^not restorable: .*mine/)
  })
})
