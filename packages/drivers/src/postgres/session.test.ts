import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { endBackend } from './end-backend.ts'
import { sqlStateOf } from './failure.ts'
import { parsePostgresUrl } from './postgres-url.ts'
import { reasonOf, SessionBench, waitUntil } from './testing/session-bench.ts'

let server: PostgresServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())
afterEach(() => bench.closeAll())

describe('a session', () => {
  it('returns the rows of the last of several statements', async () => {
    const session = await bench.open(server.url)
    expect(await session.query('SELECT 1 AS a; SELECT 2 AS a UNION SELECT 3 ORDER BY a')).toEqual([
      { a: 2 },
      { a: 3 },
    ])
    expect(await session.query('BEGIN')).toEqual([])
    expect(await session.query('SELECT $1::text AS a', ["it's"])).toEqual([{ a: "it's" }])
  })

  it('answers questions that come at once one after another', async () => {
    const session = await bench.open(server.url)
    const warn = vi.spyOn(process, 'emitWarning')
    const answers = await Promise.all([1, 2, 3].map((n) => session.query('SELECT $1::int AS n', [n])))
    expect(answers).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  it('goes on after an error, which has no SQL and no data in it', async () => {
    const session = await bench.open(server.url)
    const failure = await rejectsWith('TOOL_FAILED', session.query(`SELECT 's3cret'::int /* s3cret */`))
    expect(failure.message).toBe('PostgreSQL refused with SQLSTATE 22P02')
    expect(sqlStateOf(failure)).toBe('22P02')
    expect(JSON.stringify([failure, failure.cause, String(failure.cause)])).not.toContain('s3cret')
    expect(await session.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  it('prints no notice', async () => {
    const out = vi.spyOn(process.stderr, 'write')
    await (await bench.open(server.url)).query(`DO $$ BEGIN RAISE WARNING 'look here'; END $$`)
    expect(out).not.toHaveBeenCalled()
    out.mockRestore()
  })

  it('gives up waiting for a lock after lock_timeout', async () => {
    const name = await makeDatabase()
    await server.sql(name, 'CREATE TABLE t (id int)')
    const holder = await server.hold(name, 'LOCK TABLE t')
    const session = await bench.open(`${server.urlOf(name)}?lock_timeout=100`)
    await rejectsWith('DATABASE_LOCKED', session.query('SELECT * FROM public.t'))
    await holder.release()
  })

  it('gives up a statement after statement_timeout', async () => {
    const session = await bench.open(`${server.url}?statement_timeout=100`)
    expect(await reasonOf(session.query('SELECT pg_sleep(10)'))).toMatch(
      /^TOOL_FAILED: .*longer than statement_timeout/,
    )
  })

  it('reads rows that are hidden from the user as an error, never as fewer rows', async () => {
    const name = await makeDatabase()
    const role = await server.createRole()
    await server.sql(
      name,
      `CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO "${role.name}"`,
    )
    const session = await bench.open(server.urlOf(name, role))
    expect(await reasonOf(session.query('SELECT * FROM public.t'))).toMatch(
      /^DATABASE_ACCESS_DENIED: .*hides rows of table t/,
    )
  })

  it('ends its work on the server when it is cancelled', async () => {
    const controller = new AbortController()
    const session = await bench.open(server.url, { signal: controller.signal, applicationName: 'cancelled' })
    const query = session.query('SELECT pg_sleep(60)')
    await waitUntil(async () => (await count('cancelled')) === 1)
    setTimeout(() => controller.abort(), 20)
    const started = Date.now()
    await rejectsWith('CANCELLED', query)
    expect(Date.now() - started).toBeLessThan(500)
    await rejectsWith('CANCELLED', session.query('SELECT 1'))
    await session.close()
    await waitUntil(async () => (await count('cancelled')) === 0)
    expect(session.lost.aborted).toBe(false)
  })

  it('ends no other session that has got its process id since', async () => {
    const bystander = await bench.open(server.url)
    const backend = { pid: bystander.pid, startedAt: '2020-01-01 00:00:00+00', serverVersion: 0 }
    await endBackend(parsePostgresUrl(server.url), 'postgres', backend)
    expect(await bystander.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  it('counts as lost when an answer takes longer than it may', async () => {
    const session = await bench.open(server.url)
    const query = session.query('SELECT pg_sleep(60)', [], { withinMs: 100 })
    expect(await reasonOf(query)).toMatch(/^TARGET_UNREACHABLE: .*did not answer in time/)
    expect(session.lost.aborted).toBe(true)
    await rejectsWith('TARGET_UNREACHABLE', session.query('SELECT 1'))
  })

  it('closes twice, and is gone from the server', async () => {
    const session = await bench.open(server.url, { applicationName: 'closing' })
    await Promise.all([session.close(), session.close()])
    await waitUntil(async () => (await count('closing')) === 0)
    expect(session.lost.aborted).toBe(false)
  })

  it('closes in the middle of a query', async () => {
    const session = await bench.open(server.url)
    const query = session.query('SELECT pg_sleep(60)')
    const refused = rejectsWith('TARGET_UNREACHABLE', query)
    await sleep(20)
    await session.close()
    await refused
  })
})

async function makeDatabase(): Promise<string> {
  return parsePostgresUrl(await server.createDatabase()).database ?? ''
}

async function count(applicationName: string): Promise<number> {
  const sql = 'SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1'
  return Number((await server.sql('postgres', sql, [applicationName]))[0]?.n)
}
