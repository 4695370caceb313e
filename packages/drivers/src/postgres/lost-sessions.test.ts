import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { reasonOf, SessionBench, waitUntil } from './testing/session-bench.ts'

let server: PostgresServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())
afterEach(() => bench.closeAll())

describe('a session', () => {
  it('says that an administrator ended it in the middle of a query', async () => {
    const session = await bench.open(server.url)
    const reason = reasonOf(session.query('SELECT pg_sleep(60)'))
    await waitUntil(() => isActive(session.pid))
    await server.sql('postgres', 'SELECT pg_terminate_backend($1)', [session.pid])
    expect(await reason).toMatch(/^TARGET_UNREACHABLE: .*shut down or the session ended/)
    expect(session.lost.reason).toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
  })

  it('says that an administrator ended it between two queries', async () => {
    const session = await bench.open(server.url)
    await server.sql('postgres', 'SELECT pg_terminate_backend($1)', [session.pid])
    if (!session.lost.aborted) await once(session.lost, 'abort')
    expect(await reasonOf(session.query('SELECT 1'))).toMatch(/shut down or the session ended/)
  })
})

describe('a session whose server', () => {
  it('crashes is lost at once, and another can be opened afterwards', async () => {
    const [busy, idle] = [await bench.open(server.url), await bench.open(server.url)]
    const query = busy.query('SELECT pg_sleep(60)')
    const refused = rejectsWith('TARGET_UNREACHABLE', query)
    await waitUntil(() => isActive(busy.pid))
    await server.kill()
    await refused
    if (!idle.lost.aborted) await once(idle.lost, 'abort')
    expect(idle.lost.reason).toMatchObject({ code: 'TARGET_UNREACHABLE' })
    await rejectsWith('TARGET_UNREACHABLE', bench.open(server.url))
    await server.resume()
    expect(await (await bench.open(server.url)).query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  it('does not react closes in bounded time all the same', async () => {
    const controller = new AbortController()
    const sessions = [
      await bench.open(server.url),
      await bench.open(server.url),
      await bench.open(server.url, { signal: controller.signal }),
    ]
    const [idle, busy, cancelled] = sessions
    assert(idle && busy && cancelled)
    await server.freeze()
    try {
      const refused = rejectsWith('TARGET_UNREACHABLE', busy.query('SELECT 1', [], { withinMs: 200 }))
      const stopped = rejectsWith('CANCELLED', cancelled.query('SELECT 1'))
      setTimeout(() => controller.abort(), 50)
      await Promise.all([refused, stopped])
      const started = Date.now()
      await Promise.all(sessions.map((session) => session.close()))
      expect(Date.now() - started).toBeLessThan(2_500)
    } finally {
      await server.thaw()
    }
  })
})

async function isActive(pid: number): Promise<boolean> {
  const rows = await server.sql('postgres', 'SELECT state FROM pg_stat_activity WHERE pid = $1', [pid])
  return rows[0]?.state === 'active'
}
