import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { allow, never, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { DumpFormatName } from '../testing/restore-bench.ts'
import { databaseOf, quote, RestoreBench } from '../testing/restore-bench.ts'

const FORMATS: readonly DumpFormatName[] = ['custom', 'plain', 'directory', 'tar']

let server: PostgresServer
let bench: RestoreBench

beforeAll(async () => {
  server = await startPostgres()
  bench = await RestoreBench.make(server)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

describe('PostgresRestore', () => {
  it.each(FORMATS)(
    'restores a dump of format %s to where there is nothing, and over a database',
    async (format) => {
      const source = await bench.seeded(1)
      const dump = await bench.dump(source, format)
      const absent = await bench.absent()
      assert.equal((await bench.run(dump, absent)).replaced, null)
      assert.equal(await bench.digest(absent), await bench.digest(source))

      const other = await bench.seeded(2)
      const old = await bench.digest(other)
      const { replaced } = await bench.run(dump, other)
      assert.ok(replaced)
      assert.equal(await bench.digest(other), await bench.digest(source))
      await bench.restore(other).undo(replaced.ticket, allow, never)
      assert.equal(await bench.digest(other), old)
      assert.deepEqual(await bench.own(), [])
    },
  )

  it.each([
    '-Fc',
    'host=127.0.0.1 port=1',
    'postgres://nowhere/elsewhere',
    `it's "quoted" \\ and\nbroken`,
    '☃/../%41?#&=',
    'DROP DATABASE',
    ':"database"',
    '$(touch x) `y`',
    'é'.repeat(31),
  ])('restores under the name %j, by a user of that name, and takes it back', async (name) => {
    const user = await server.createRole({
      name: name.slice(0, 31),
      password: `${name}:@/ %`,
      attributes: 'CREATEDB',
    })
    const dump = await bench.dump(await bench.seeded(3))
    await server.createDatabase(name, `OWNER ${quote(user.name)}`)
    const url = server.urlOf(name, user)
    const empty = await bench.digest(server.urlOf(name))
    const options = { keepOwners: false, definer: null }
    await bench.restore(url).preflight(dump.description, options, never)
    const { replaced } = await bench.run(dump, url, { options })
    assert.ok(replaced)
    assert.match(await bench.digest(server.urlOf(name)), /items/)
    await bench.restore(url).undo(replaced.ticket, allow, never)
    assert.equal(await bench.digest(server.urlOf(name)), empty)
    assert.deepEqual(await bench.own(), [])
  })

  it('loads values as they were, whatever the role takes them for', async () => {
    const role = await server.createRole({ attributes: 'SUPERUSER' })
    for (const setting of ['array_nulls = off', "TimeZone = 'Asia/Kolkata'", "DateStyle = 'German'"]) {
      await server.sql('postgres', `ALTER ROLE ${role.name} SET ${setting}`)
    }
    const source = await server.createDatabase()
    await server.sql(
      databaseOf(source),
      `CREATE TABLE odd (words text[], at timestamptz);
       INSERT INTO odd VALUES (ARRAY[NULL, 'NULL', ''], '2001-02-03 04:05+06')`,
    )
    const target = await bench.absent()
    await bench.run(await bench.dump(source), server.urlOf(databaseOf(target), role))
    assert.equal(await bench.digest(target), await bench.digest(source))
  })
})
