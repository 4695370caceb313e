import assert from 'node:assert/strict'
import { mysqlSchemaOf, never, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { parseMysqlUrl } from '../mysql-url.ts'
import { openSession } from '../session.ts'
import { readTables } from './read-tables.ts'

describe('readTables', () => {
  let server: Awaited<ReturnType<typeof startMariadb>>
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.stop())

  it('names the table that the server cannot open', async () => {
    const url = await server.createDatabase()
    const schema = mysqlSchemaOf(url)
    await server.sql(
      schema,
      `CREATE TABLE fine (a INT); CREATE TABLE part (a INT) ENGINE = MyISAM;
       CREATE TABLE merged (a INT) ENGINE = MERGE UNION = (part); DROP TABLE part`,
    )
    const session = await openSession(parseMysqlUrl(url), { schema, signal: never })
    try {
      const { message } = await rejectsWith('TOOL_FAILED', readTables(session, schema))
      assert.match(message, /could not read the definition of table merged: /)
    } finally {
      await session.close()
    }
  })
})
