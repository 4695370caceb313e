import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import type { PostgresServer } from '../servers/postgres.ts'
import { startPostgres } from '../servers/postgres.ts'
import { clientConfigOf, databaseOf } from './client.ts'
import type { PostgresPlace } from './place.ts'
import { makePostgresPlace } from './place.ts'

let server: PostgresServer
let place: PostgresPlace

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())
beforeEach(async () => {
  place = await makePostgresPlace(server)
})
afterEach(async () => {
  await place.remove()
  const left = await server.sql(
    'postgres',
    `SELECT datname FROM pg_database WHERE datname !~ '^(postgres|template)'`,
  )
  assert.deepEqual(left, [])
})

describe('a place for PostgreSQL databases', () => {
  it('makes databases that differ from one another', async () => {
    const digests = [await place.seeded(), await place.seeded(), await place.large(1)].map(place.digest)
    assert.equal(new Set(await Promise.all(digests)).size, 3)
    assert.equal(await place.digest(await place.absent()), 'absent')
  })

  it('makes large databases of about the size asked for', async () => {
    const name = databaseOf(await place.large(10))
    const [row] = await server.sql(name, `SELECT pg_table_size('shop.records')::int AS size`)
    const size = Number(row?.size) / 1e6
    assert.ok(size > 8 && size < 14, `${size} MB`)
  })

  it('counts rows by table, wherever they lie', async () => {
    assert.deepEqual(await place.rowCounts(await place.seeded()), {
      'shop.accounts': 100,
      'shop.events': 60,
      'shop.ledger': 1,
      'shop.nothing': 1,
      'shop.records': 201,
      'shop.transfers': 0,
      'public."Va""lues"': 3,
      'large objects': 1,
    })
  })

  it('sees databases, roles and files that come, and rows that change', async () => {
    const url = await place.seeded()
    const seen = [await place.traces()]
    assert.deepEqual(await place.traces(), seen[0])
    await server.sql(databaseOf(url), 'UPDATE shop.accounts SET received = 1 WHERE id = 1')
    seen.push(await place.traces())
    await server.createDatabase('holdfast_new_x')
    seen.push(await place.traces())
    await server.createRole()
    seen.push(await place.traces())
    await writeFile(join(place.scratchDir, 'left'), '')
    seen.push(await place.traces())
    assert.equal(new Set(seen.map(String)).size, 5)
  })

  it('finds sessions of operations that are over', async () => {
    const client = new pg.Client({ ...clientConfigOf(server.url), application_name: 'holdfast-x' })
    await client.connect()
    await assert.rejects(place.traces(), /a session was left on the server.*holdfast-x/)
    await client.end()
  })
})

describe('applications that use a database', () => {
  it('keep the invariants while their connections are ended, and do not complain', async () => {
    const url = await place.seeded()
    const use = await place.use(url)
    for (let round = 0; round < 10; round += 1) {
      await delay(50)
      await server.sql(
        'postgres',
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
        [databaseOf(url)],
      )
    }
    assert.deepEqual(await use.stop(), [])
    assert.deepEqual(await place.problems(url), [])
    const { 'shop.transfers': transfers } = await place.rowCounts(url)
    assert.ok(Number(transfers) > 3, `${transfers} transfers`)
  })

  it('come back after the server was killed', async () => {
    const url = await place.seeded()
    const use = await place.use(url)
    await server.kill()
    await delay(100)
    await server.resume()
    const before = (await place.rowCounts(url))['shop.transfers'] ?? 0
    while (((await place.rowCounts(url))['shop.transfers'] ?? 0) <= before) await delay(50)
    assert.deepEqual(await use.stop(), [])
    assert.deepEqual(await place.problems(url), [])
  })

  it('complain of balances that do not add up, and of tables that are missing', async () => {
    const url = await place.seeded()
    const use = await place.use(url)
    await server.sql(databaseOf(url), 'UPDATE shop.accounts SET balance = balance + 1 WHERE id = 1')
    await delay(200)
    assert.match(String(await use.stop()), /a reader saw balances that add up to 100001/)
    assert.notDeepEqual(await place.problems(url), [])

    const other = await place.seeded()
    const another = await place.use(other)
    await server.sql(databaseOf(other), 'ALTER TABLE shop.ledger RENAME TO lost')
    await delay(200)
    assert.match(String(await another.stop()), /shop\.ledger/)
  })
})
