import assert from 'node:assert/strict'
import { mysqlSchemaOf, never, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { parseMysqlUrl } from '../mysql-url.ts'
import { readSchema } from '../schema/read-schema.ts'
import { openSession } from '../session.ts'
import { requireReadable, unreadablePrograms } from './unreadable-programs.ts'

describe('unreadablePrograms', () => {
  let server: Awaited<ReturnType<typeof startMariadb>>
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.stop())

  it('finds those in which a character ends in a backslash, and no others', async () => {
    const url = await server.createDatabase()
    const session = await openSession(parseMysqlUrl(url), { schema: mysqlSchemaOf(url), signal: never })
    try {
      const make = async (charset: string, sql: string) => {
        await session.query(`SET NAMES ${charset}`)
        await session.query(sql, [], { encoding: 'binary' })
      }
      await make('sjis', "CREATE FUNCTION caught() RETURNS TEXT RETURN '\x95\x5c'")
      await make('sjis', "CREATE FUNCTION harmless() RETURNS TEXT RETURN '\x83\x65 \\''")
      await make('sjis', "CREATE FUNCTION slashed() RETURNS TEXT RETURN '\x83\xe5\\\\'")
      await make('latin1', "CREATE FUNCTION single() RETURNS TEXT RETURN '\xe9\\''")
      await session.query('SET NAMES utf8mb4')
      const { programs } = await readSchema(session, mysqlSchemaOf(url))
      assert.deepEqual(
        unreadablePrograms(programs).map(({ name }) => name),
        ['caught'],
      )
      const refused = { code: 'DATABASE_INVALID', message: /function caught \(sjis\)/ }
      assert.throws(() => requireReadable(programs), refused)
      requireReadable(programs.filter(({ name }) => name !== 'caught'))
    } finally {
      await session.close()
    }
  })
})
