import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldSession } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ask, outcomeOf, untilPhase } from './support/operations.ts'
import { untilBusy } from './support/postgres-bench.ts'
import type { PostgresTroubles } from './support/postgres-troubles.ts'
import { openPostgresTroubles } from './support/postgres-troubles.ts'
import type { Trouble } from './support/troubled-bench.ts'

/** One that flows as it is made, and one that several processes lay down before. */
const FORMATS = ['custom', 'directory'] as const
/** The dump takes seconds at this rate. */
const SLOW = 1_500_000
const MIB = 1024 * 1024

describe('a backup of PostgreSQL', { timeout: 60_000 }, () => {
  let bench: PostgresTroubles

  beforeAll(async () => {
    bench = await openPostgresTroubles()
  })
  afterAll(() => bench?.close())
  afterEach(async () => {
    await bench.heal()
    await bench.requireUntouched()
    await bench.requireBackup()
  })

  const fails = (trouble: Trouble, more: object = {}) =>
    bench.fails('/v1/backups', { target: 'shop', ...more }, trouble)

  /** Waits until a part of the dump has come, and much of it has not. */
  const inTheMiddle =
    (act: (id: string) => unknown, format: (typeof FORMATS)[number] = 'custom') =>
    async (id: string) => {
      bench.proxy.slowDown(SLOW)
      if (format === 'custom') await untilPhase(bench.system, id, 'dumping', MIB / 2)
      else await untilBusy(bench.server, /^COPY .* TO stdout/i)
      await act(id)
    }

  it('fails when the server is killed', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.server.kill()) })
  })

  it('is tried again when the server is restarted', async () => {
    const { system, server } = bench
    const id = await ask(system, '/v1/backups', { target: 'patient' })
    await inTheMiddle(() => server.halt())(id)
    bench.proxy.heal()
    await server.resume()
    expect(await outcomeOf(system, id)).toMatchObject({ state: 'completed', error: null, attempts: 2 })
    const { body } = await system.call('GET', '/v1/backups?target=patient')
    expect(body.items).toMatchObject([{ status: 'completed' }])
  })

  it('fails when the server stands still', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.server.freeze()) })
  })

  it('fails when the network is cut', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.proxy.cut()) })
  })

  it('fails when the server has no connection left', async () => {
    const held: HeldSession[] = []
    try {
      for (;;) held.push(await bench.server.hold('postgres', 'SELECT'))
    } catch {
      await fails({ code: 'TARGET_UNREACHABLE', says: /no connection left/, cause: async () => {} })
    } finally {
      await Promise.all(held.map((session) => session.release()))
    }
  })

  it.each(FORMATS)('fails when a table is locked, in format %s', async (format) => {
    const held = await bench.server.hold('shop', 'LOCK TABLE shop.slow IN ACCESS EXCLUSIVE MODE')
    const says = new RegExp(`${held.pid}.*shop\\.slow`)
    await fails({ code: 'DATABASE_LOCKED', says, cause: async () => {} }, { format })
    await held.release()
  })

  it.each(FORMATS)('fails when pg_dump is killed, in format %s', async (format) => {
    const kill = async () => {
      let pids = await bench.programs('pg_dump')
      for (; pids.length === 0; pids = await bench.programs('pg_dump')) await sleep(2)
      for (const pid of pids) process.kill(pid, 'SIGKILL')
    }
    await fails({ code: 'TOOL_FAILED', says: /pg_dump.*SIGKILL/, cause: kill }, { format })
  })

  it('fails when the session that holds its moment is ended', async () => {
    const end = () =>
      bench.server.sql(
        'postgres',
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name LIKE 'holdfast-%' AND query NOT LIKE 'COPY%' AND state = 'idle in transaction'`,
      )
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(end) })
  })

  it('fails when the storage is full', async () => {
    const { storage, system } = bench
    const pids = system.workers.map(({ pid }) => pid)
    await storage.fill(Math.max(2 * MIB, storage.leastBytes), pids)
    await fails({ code: 'STORAGE_FULL', cause: async () => {} })
  })

  it('fails when there is no room to lay it down', async () => {
    const { scratch, system } = bench
    const pids = system.workers.map(({ pid }) => pid)
    await scratch.fill(Math.max(2 * MIB, scratch.leastBytes), pids)
    await fails({ code: 'TEMPORARY_SPACE_FULL', cause: async () => {} }, { format: 'directory' })
  })

  const cancel = (id: string) => bench.system.call('POST', `/v1/operations/${id}/cancel`)

  it('can be cancelled while it waits for a lock', async () => {
    const held = await bench.server.hold('shop', 'LOCK TABLE shop.slow IN ACCESS EXCLUSIVE MODE')
    const waiting = async (id: string) => {
      await untilPhase(bench.system, id, 'inspecting')
      await sleep(150)
      await cancel(id)
    }
    await fails({ code: 'CANCELLED', cause: waiting })
    await held.release()
  })

  it.each(FORMATS)('can be cancelled while it is dumped, in format %s', async (format) => {
    await fails({ code: 'CANCELLED', cause: inTheMiddle(cancel, format) }, { format })
  })
})
