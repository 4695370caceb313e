import assert from 'node:assert/strict'
import type { PostgresPlace, PostgresServer } from '@holdfast/testing'
import { DriverBench, makePostgresPlace, never, rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { postgresDriverFactory } from './postgres-factory.ts'

const factory = postgresDriverFactory()
let primary: PostgresServer
let standby: PostgresServer
let place: PostgresPlace
let bench: DriverBench

beforeAll(async () => {
  primary = await startPostgres()
  await primary.createDatabase('shop')
  await primary.sql(
    'shop',
    `CREATE TABLE items AS SELECT generate_series(1, 50) AS id;
     CREATE UNLOGGED TABLE passing AS SELECT generate_series(1, 9) AS id; CREATE SEQUENCE numbers`,
  )
  standby = await startPostgres({ standbyOf: primary })
  place = await makePostgresPlace(primary)
  bench = new DriverBench(factory, place)
})

afterAll(async () => {
  await factory.close()
  await place?.remove()
  await standby?.stop()
  await primary?.stop()
})

describe('a standby', () => {
  it.each(['custom', 'directory'])(
    'is backed up in format %s, without the rows it does not have',
    async (format) => {
      const dump = await bench.dump(standby.urlOf('shop'), { format })
      assert.deepEqual(dump.summary.rowCounts, { 'public.items': 50, 'public.passing': 0 })
      assert.match(dump.summary.warnings.join(), /left out: the rows of 1 unlogged table \(public\.passing\)/)
      const { valid, message, rowCounts } = await bench.check(dump, 'full')
      assert.ok(valid, message)
      assert.deepEqual(rowCounts, dump.summary.rowCounts)
    },
  )

  it('warns when it is looked at', async () => {
    const { warnings } = await bench.driver(standby.urlOf('shop')).inspect(never)
    assert.match(warnings.join(), /the server is a standby: long dumps can be ended/)
  })

  it('takes neither drills nor restores', async () => {
    const dump = await bench.dump(primary.urlOf('shop'))
    const there = new DriverBench(factory, { ...place, scratchUrl: standby.urlOf('').replace(/\/$/, '') })
    await rejectsWith('RESTORE_NOT_POSSIBLE', there.check(dump, 'full'))
    const { message } = await rejectsWith(
      'RESTORE_NOT_POSSIBLE',
      bench
        .driver(standby.urlOf('copy'))
        .preflight(dump.description, { keepOwners: true, definer: null }, never),
    )
    assert.match(message, /the server is a standby, which can only be read/)
  })
})
