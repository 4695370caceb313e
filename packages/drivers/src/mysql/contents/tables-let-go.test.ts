import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { never, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, it } from 'vitest'
import { parseMysqlUrl } from '../mysql-url.ts'
import { readTables } from '../schema/read-tables.ts'
import { openSession } from '../session.ts'
import { countTables, SAVEPOINT } from './count-tables.ts'

let server: MariadbServer

beforeAll(async () => {
  server = await startMariadb()
})

afterAll(() => server?.stop())

it('keeps nobody from altering a table that was counted, while the rest is counted', async () => {
  const url = await server.createDatabase('shop')
  await server.sql('shop', 'CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO b VALUES (1)')
  const session = await openSession(parseMysqlUrl(url), { schema: 'shop', signal: never })
  try {
    const [a, b] = await readTables(session, 'shop')
    assert.ok(a !== undefined && b !== undefined)
    await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
    await session.query(`SAVEPOINT ${SAVEPOINT}`)
    const options = { digests: true, history: false, lettingGo: true, signal: never }
    await countTables([session], 'shop', [a], options)
    await server.sql(
      'shop',
      'SET lock_wait_timeout = 1; ALTER TABLE a ADD COLUMN more int; INSERT INTO b VALUES (2)',
    )
    const counted = await countTables([session], 'shop', [b], options)
    assert.equal(counted.get('b')?.rows, 1)
  } finally {
    await session.close()
  }
})
