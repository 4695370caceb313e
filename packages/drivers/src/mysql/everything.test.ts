import assert from 'node:assert/strict'
import type { MariadbServer, MysqlPlace, TakenDump } from '@holdfast/testing'
import {
  allow,
  DriverBench,
  fingerprintDifferences,
  makeMysqlPlace,
  mysqlFingerprintOf,
  mysqlQuery,
  never,
  seedMysqlEverything,
  startMariadb,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { mysqlDriverFactory } from './mysql-factory.ts'

const ONLY_BEFORE = 'only in the first:'

let server: MariadbServer
let place: MysqlPlace
let bench: DriverBench
beforeAll(async () => {
  server = await startMariadb()
  place = await makeMysqlPlace(server)
  bench = new DriverBench(mysqlDriverFactory(), place)
})
afterAll(async () => {
  await place?.remove()
  await server?.stop()
})

describe('a MariaDB schema with everything', () => {
  let url: string
  let before: readonly string[]
  let dump: TakenDump

  beforeAll(async () => {
    const name = 'everything'
    await seedMysqlEverything(await server.createDatabase(name))
    url = server.urlOf(name, place.account)
    before = await mysqlFingerprintOf(server.urlOf(name))
    dump = await bench.dump(url)
  })

  const differences = async (there: string, wanted = before) =>
    fingerprintDifferences(wanted, await mysqlFingerprintOf(there))

  it('is restored in its own place, and what was there put back, with no difference', async () => {
    assert.equal(dump.summary.counting, 'exact')
    const report = await bench.check(dump, 'full')
    assert.equal(report.valid, true, report.message)
    // the server forgets of which time a view shows a table that is gone
    for (const damage of ['VIEW checked, history', 'TABLE versioned', 'FUNCTION twice'])
      await mysqlQuery(url, `DROP ${damage}`)
    await mysqlQuery(url, 'DELETE FROM by_both')
    const damaged = await mysqlFingerprintOf(url)
    const { replaced } = await bench.restore(dump, url)
    // the server has revoked it, and privileges are its own
    const revoked = [`${ONLY_BEFORE} routine grant FUNCTION 'twice' 'definer' 'localhost'`]
    assert.deepEqual(await differences(url), revoked)
    assert.ok(replaced)
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.deepEqual(await differences(url, damaged), [])
    await bench.restore(dump, url)
    assert.deepEqual(await differences(url), revoked)
  })

  it('is restored under another name, and nobody is granted anything there', async () => {
    const copy = await place.absent()
    await bench.restore(dump, copy)
    const found = await differences(copy)
    assert.deepEqual(
      found.filter((line) => !line.startsWith(`${ONLY_BEFORE} routine grant `)),
      [],
    )
  })
})
