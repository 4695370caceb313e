import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { contentOf, DumpBench } from '../testing/dump-bench.ts'

const NAMES = [
  '-Fc',
  '--help',
  'host=127.0.0.1 port=1',
  "dbname='postgres' host=127.0.0.1",
  'postgres://127.0.0.1:1/postgres',
  'a b',
  `it's "quoted" \\ $(id) \`id\``,
  'template1 ',
  'ünï ☃',
  ':"database"',
  'line\nbreak',
  'Upper',
]

let server: PostgresServer
let bench: DumpBench

beforeAll(async () => {
  server = await startPostgres()
  bench = await DumpBench.make(server)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

describe('a dump', () => {
  it.each(NAMES)('is of the database called %j and of no other', async (name) => {
    const url = await server.createDatabase(name)
    await server.sql(name, 'CREATE TABLE marker (name text)')
    await server.sql(name, 'INSERT INTO marker VALUES (current_database())')
    const taken = await bench.dump(url, { globals: 'without-passwords' })
    assert.match(contentOf(taken.summary.attachments, 'globals'), /CREATE ROLE/)
    const copy = await bench.restore(taken)
    const rows = await server.sql(new URL(copy).pathname.slice(1), 'SELECT name FROM marker')
    assert.deepEqual(rows, [{ name }])
  })

  it.each([
    ['@ : / # % ?', `p@:/#%'"\\ $(id)`],
    ['-Fc', '-w'],
    [`it's "quoted"`, 'password=x host=127.0.0.1'],
    ['host=127.0.0.1', 'ünï ☃'],
  ])('logs in as %j with password %j', async (name, password) => {
    const role = await server.createRole({ name, password })
    const url = await server.createDatabase(undefined, `OWNER "${name.replaceAll('"', '""')}"`)
    const mine = server.urlOf(new URL(url).pathname.slice(1), role)
    const { summary, contents } = await bench.dump(mine, { globals: 'without-passwords' })
    assert.equal(contents.database.owner, name)
    assert.ok(contents.roles.includes(name))
    assert.ok(!JSON.stringify(summary).includes(JSON.stringify(password)))
  })

  it('gives a copy of another hostile name the settings of its source', async () => {
    const name = `:"database" ' \\ source`
    const url = await server.createDatabase(name)
    const quoted = `"${name.replaceAll('"', '""')}"`
    await server.sql('postgres', `COMMENT ON DATABASE ${quoted} IS 'x :"database" \\ y'`)
    await server.sql('postgres', `ALTER DATABASE ${quoted} SET "a.b" = ':''database'' \\'`)
    const taken = await bench.dump(url)
    const other = `'); DROP DATABASE ${quoted}; --`
    const copy = await server.createDatabase(other)
    await bench.applySettings(copy, taken.summary.attachments)
    const rows = await server.sql(
      other,
      `SELECT current_setting('a.b') AS setting, shobj_description(oid, 'pg_database') AS comment
       FROM pg_database WHERE datname = current_database()`,
    )
    assert.deepEqual(rows, [{ setting: ":'database' \\", comment: 'x :"database" \\ y' }])
  })
})
