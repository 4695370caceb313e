import { startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsePostgresUrl } from './postgres-url.ts'
import { openSession } from './session.ts'

let server: Awaited<ReturnType<typeof startPostgres>>
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

test('it opens', async () => {
  const connection = parsePostgresUrl(server.url)
  const s = await openSession(connection, {
    database: 'postgres',
    applicationName: 'x',
    signal: new AbortController().signal,
  })
  expect(s.serverVersion).toBeGreaterThan(150000)
  expect(await s.query('select 1 as a; select 2 as a')).toEqual([{ a: 2 }])
  await s.close()
})
