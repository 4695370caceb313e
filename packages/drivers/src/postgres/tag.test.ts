import { randomUUID } from 'node:crypto'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { endSessions, tagOf } from './tag.ts'
import { runTool } from './testing/run-tool.ts'
import { SessionBench, waitUntil } from './testing/session-bench.ts'

let server: PostgresServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())
afterEach(() => bench.closeAll())

describe('endSessions', () => {
  it('ends what has the tag, working or idle, and nothing else', async () => {
    const applicationName = tagOf(randomUUID())
    const asking = await bench.open(server.url, { applicationName })
    const [busy, idle] = [
      await bench.open(server.url, { applicationName }),
      await bench.open(server.url, { applicationName }),
    ]
    const other = await bench.open(server.url, { applicationName: tagOf(randomUUID()) })
    await idle.query('BEGIN')
    const refused = rejectsWith('TARGET_UNREACHABLE', busy.query('SELECT pg_sleep(60)'))
    expect(await endSessions(asking, applicationName)).toBe(2)
    await refused
    await rejectsWith('TARGET_UNREACHABLE', idle.query('SELECT 1'))
    expect(await other.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
    expect(await endSessions(asking, applicationName)).toBe(0)
  })

  it('ends tools', async () => {
    const asking = await bench.open(server.url, { applicationName: 'asking' })
    const tool = runTool(server.programs.psql, server.url, ['-XAtc', 'SELECT pg_sleep(60)'])
    await waitUntil(async () => (await endSessions(asking, 'tests')) === 1)
    expect((await tool).code).toBe(2)
  })

  it('leaves sessions of other roles alone', async () => {
    const applicationName = tagOf(randomUUID())
    const role = await server.createRole()
    const own = await bench.open(server.url, { applicationName })
    const asking = await bench.open(server.urlOf('postgres', role))
    expect(await endSessions(asking, applicationName)).toBe(0)
    expect(await own.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })
})

describe('tagOf', () => {
  it('fits into an application name', () => {
    const tag = tagOf(randomUUID())
    expect(tag).toMatch(/^holdfast-[0-9a-f-]{36}$/)
    expect(tag.length).toBeLessThanOrEqual(63)
  })
})
