import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { mysqlName, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DumpBench, dumpPrograms, schemaOf } from '../testing/dump-bench.ts'

let server: MariadbServer
let bench: DumpBench

beforeAll(async () => {
  server = await startMariadb()
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
