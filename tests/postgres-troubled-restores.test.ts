import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldSession } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { untilPhase } from './support/operations.ts'
import { ourDatabases, untilBusy } from './support/postgres-bench.ts'
import type { PostgresTroubles } from './support/postgres-troubles.ts'
import { openPostgresTroubles } from './support/postgres-troubles.ts'
import type { Trouble } from './support/troubled-bench.ts'
import { OVER } from './support/troubled-bench.ts'

const MIB = 1024 * 1024

describe('a restore of PostgreSQL', { timeout: 60_000 }, () => {
  let bench: PostgresTroubles

  beforeAll(async () => {
    bench = await openPostgresTroubles()
  })
  afterAll(() => bench?.close())
  afterEach(async () => {
    await bench.heal()
    await bench.requireUntouched()
    await bench.requireRestore()
  })

  const fails = (trouble: Trouble) => bench.fails(`${bench.backup}/restore`, OVER, trouble)

  /** Waits until rows are being loaded into the database that is to be. */
  const whileLoading = (act: (id: string) => unknown) => async (id: string) => {
    await untilBusy(bench.server, /^COPY .* FROM stdin/i, /^holdfast_new_/)
    await act(id)
  }

  /** Waits until the names are to be exchanged, which a lock keeps from happening. */
  const whileSwapping = (act: (id: string) => unknown) => async (id: string) => {
    // a lock on the database, by a session that is not in it
    const held = await bench.server.hold('postgres', 'COMMENT ON DATABASE dest IS NULL')
    try {
      await untilBusy(bench.server, /^ALTER DATABASE .* RENAME/)
      await act(id)
    } finally {
      await held.release()
    }
  }

  describe('fails while rows are loaded', () => {
    const slowly = async (trouble: Trouble) => {
      await bench.nap(0.1)
      await fails(trouble)
    }

    it('when the server is killed', async () => {
      await slowly({ code: 'TARGET_UNREACHABLE', cause: whileLoading(() => bench.server.kill()) })
    })

    it('when the server stands still', async () => {
      await slowly({ code: 'TARGET_UNREACHABLE', cause: whileLoading(() => bench.server.freeze()) })
    })

    it('when the network is cut', async () => {
      await slowly({ code: 'TARGET_UNREACHABLE', cause: whileLoading(() => bench.proxy.cut()) })
    })

    it('when pg_restore is killed, and drops what it had made', async () => {
      const kill = whileLoading(async () => {
        for (const pid of await bench.programs('pg_restore')) process.kill(pid, 'SIGKILL')
      })
      await slowly({ code: 'TOOL_FAILED', says: /pg_restore.*SIGKILL/, cause: kill })
      expect(await ourDatabases(bench.server)).toEqual([])
    })

    it('when it is cancelled, and drops what it had made', async () => {
      const cancel = whileLoading((id) => bench.system.call('POST', `/v1/operations/${id}/cancel`))
      await slowly({ code: 'CANCELLED', cause: cancel })
      expect(await ourDatabases(bench.server)).toEqual([])
    })
  })

  describe('fails while names are exchanged', () => {
    it('when the server is killed', async () => {
      const cause = whileSwapping(async () => {
        await bench.server.kill()
        await bench.server.resume()
      })
      await fails({ code: 'TARGET_UNREACHABLE', cause })
    })

    it('when the network is cut for a moment', async () => {
      const cause = whileSwapping(async () => {
        bench.proxy.cut()
        await sleep(300)
        bench.proxy.heal()
      })
      await fails({ code: 'TARGET_UNREACHABLE', cause })
    })

    it('when it is cancelled', async () => {
      const cause = whileSwapping((id) => bench.system.call('POST', `/v1/operations/${id}/cancel`))
      await fails({ code: 'CANCELLED', cause })
    })

    it('when something is prepared in the database that is replaced', async () => {
      await bench.server.sql(
        'dest',
        `BEGIN; CREATE TABLE public.waits (); PREPARE TRANSACTION 'it''s waiting'`,
      )
      const cause = async () => {}
      await fails({ code: 'DATABASE_LOCKED', says: /it's waiting/, cause })
      await bench.server.sql('dest', `ROLLBACK PREPARED 'it''s waiting'`)
    })
  })

  it('fails when there is no room to lay the dump down, before anything is made', async () => {
    const { scratch, system } = bench
    const pids = system.workers.map(({ pid }) => pid)
    await scratch.fill(Math.max(2 * MIB, scratch.leastBytes), pids)
    await fails({ code: 'TEMPORARY_SPACE_FULL', cause: async () => {} })
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

  it('fails when the server is away', async () => {
    bench.proxy.cut()
    await fails({ code: 'TARGET_UNREACHABLE', cause: async () => {} })
  })

  it('can be cancelled while the dump arrives', async () => {
    const cancel = async (id: string) => {
      await untilPhase(bench.system, id, 'staging')
      await bench.system.call('POST', `/v1/operations/${id}/cancel`)
    }
    await bench.nap(0.1)
    await fails({ code: 'CANCELLED', cause: cancel })
  })
})
