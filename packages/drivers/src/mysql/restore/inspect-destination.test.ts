import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { never, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { RestoreBench } from '../testing/restore-bench.ts'
import { inspectDestination } from './inspect-destination.ts'

let server: MariadbServer
let bench: RestoreBench

beforeAll(async () => {
  server = await startMariadb()
  bench = await RestoreBench.make(server)
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

const inspect = (url: string) => inspectDestination(bench.dumps.parts(url), never)

describe('a destination', () => {
  it('is occupied by tables, routines or events, and by nothing of its neighbours', async () => {
    await bench.database('CREATE TABLE t (a int)', 'SHOP')
    const empty = await inspect(await server.createDatabase('shop'))
    assert.deepEqual([empty.exists, empty.occupied, empty.sizeBytes], [true, false, 0])
    for (const sql of [
      'CREATE TABLE t (a int)',
      'CREATE PROCEDURE p() DO 1',
      'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1',
    ]) {
      const report = await inspect(await bench.database(sql))
      assert.deepEqual([report.exists, report.occupied, report.warnings], [true, true, []], sql)
    }
    assert.ok((await inspect(server.urlOf('SHOP'))).sizeBytes > 0)
  })

  it('may be a name that is free, and is shown without a secret', async () => {
    const report = await inspect(server.urlOf('a/b'))
    assert.deepEqual([report.exists, report.occupied], [false, false])
    assert.equal(report.location, `mysql://127.0.0.1:${server.port}/a%2Fb`)
    assert.equal(report.lockKey, `mysql:localhost:${server.port}/a%2Fb`)
  })

  it('is not a server', async () => {
    await rejectsWith('INVALID_CONNECTION', inspect(server.url))
  })

  it('tells who uses it', async () => {
    const url = await bench.database('CREATE TABLE t (a int)', 'used')
    const held = await server.hold('used', 'SELECT * FROM t')
    try {
      assert.match((await inspect(url)).warnings.join(), /^1 sessions use used \(holdfast\)/)
    } finally {
      await held.release()
    }
  })
})
