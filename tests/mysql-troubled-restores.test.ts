import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ourSchemas, sessionsLeft, untilBusy, untilLoading } from './support/mysql-bench.ts'
import type { MysqlTroubles } from './support/mysql-troubles.ts'
import { openMysqlTroubles } from './support/mysql-troubles.ts'
import { addTarget, ask, outcomeOf, untilPhase } from './support/operations.ts'
import type { Trouble } from './support/troubled-bench.ts'
import { OVER } from './support/troubled-bench.ts'

/** Loading takes seconds at this rate. */
const SLOW = 1_500_000
const MIB = 1024 * 1024
/** Waits until the end of a lock. */
const EXCHANGE = /^(?:DROP TRIGGER|RENAME TABLE)/

describe('a restore of MariaDB', { timeout: 60_000 }, () => {
  let bench: MysqlTroubles

  beforeAll(async () => {
    bench = await openMysqlTroubles()
  })
  afterAll(() => bench?.close())

  const settle = async () => {
    await bench.heal()
    await bench.requireUntouched()
  }
  const again = async () => {
    await settle()
    await bench.requireRestore()
  }
  const fails = (trouble: Trouble) => bench.fails(`${bench.backup}/restore`, OVER, trouble)
  const cancel = (id: string) => bench.system.call('POST', `/v1/operations/${id}/cancel`)
  const nothing = async () => {}

  describe('fails while rows are loaded', () => {
    afterEach(settle)

    /** Waits until rows come into the schema that is to be. */
    const whileLoading = (act: (id: string, session: number) => unknown) => async (id: string) => {
      bench.proxy.slowDown(SLOW)
      await act(id, await untilLoading(bench.server, 'items'))
    }
    const nothingIsLeft = async () => {
      expect(await sessionsLeft(bench.server)).toEqual([])
      expect(await ourSchemas(bench.server)).toEqual([])
    }

    it('when the server is killed', async () => {
      await fails({ code: 'TARGET_UNREACHABLE', cause: whileLoading(() => bench.server.kill()) })
      await again()
    })

    it('when the server stands still', async () => {
      await fails({ code: 'TARGET_UNREACHABLE', cause: whileLoading(() => bench.server.freeze()) })
      await again()
    })

    it('when an administrator ends its session, and drops what it had made', async () => {
      const end = whileLoading(async (_id, session) => {
        await bench.server.sql(null, `KILL CONNECTION ${session}`)
        bench.proxy.heal()
      })
      await fails({ code: 'TARGET_UNREACHABLE', cause: end })
      await nothingIsLeft()
    })

    it('when the client is killed, and drops what it had made', async () => {
      const kill = whileLoading(async () => {
        for (const pid of await bench.programs('mariadb')) process.kill(pid, 'SIGKILL')
        bench.proxy.heal()
      })
      await fails({ code: 'TOOL_FAILED', says: /mariadb.*SIGKILL/, cause: kill })
      await nothingIsLeft()
    })

    it('when it is cancelled, and drops what it had made', async () => {
      await fails({ code: 'CANCELLED', cause: whileLoading(cancel) })
      await nothingIsLeft()
      await again()
    })

    it('when a table does not fit, and drops what it had made', async () => {
      await bench.server.sql(null, 'SET GLOBAL myisam_data_pointer_size = 2')
      await fails({ code: 'TOOL_FAILED', says: /full.*limited/, cause: nothing })
      await bench.server.sql(null, 'SET GLOBAL myisam_data_pointer_size = DEFAULT')
      await nothingIsLeft()
      await again()
    })
  })

  describe('when a transaction of a client keeps a lock', () => {
    afterEach(settle)

    /** Waits until tables are to be exchanged, and what is done meanwhile is done. */
    const whileWaiting = (act: (id: string) => unknown) => async (id: string) => {
      const held = await bench.server.hold('dest', 'SELECT * FROM items LIMIT 1')
      try {
        await untilBusy(bench.server, EXCHANGE)
        await act(id)
      } finally {
        await held.release()
      }
    }

    it('fails, naming it', async () => {
      const held = await bench.server.hold('dest', 'SELECT * FROM items LIMIT 1')
      await fails({ code: 'DATABASE_LOCKED', says: new RegExp(`session ${held.id} `), cause: nothing })
      await held.release()
      await again()
    })

    it('fails, naming one that was prepared and belongs to nobody', async () => {
      await bench.server.sql('dest', "XA START 'left'; DELETE FROM items; XA END 'left'; XA PREPARE 'left'")
      await fails({ code: 'DATABASE_LOCKED', says: /prepared transactions: left$/, cause: nothing })
      await bench.server.sql(null, "XA ROLLBACK 'left'")
    })

    it('can be cancelled', async () => {
      await fails({ code: 'CANCELLED', cause: whileWaiting(cancel) })
    })

    it('goes on when the server is killed and comes back', async () => {
      const id = await ask(bench.system, `${bench.backup}/restore`, OVER)
      await whileWaiting(async () => {
        await bench.server.kill()
        await bench.server.resume()
      })(id)
      await bench.requireRestored(id)
    })

    it('goes on when the network was cut for a moment', async () => {
      const id = await ask(bench.system, `${bench.backup}/restore`, OVER)
      await whileWaiting(async () => {
        bench.proxy.cut()
        await sleep(300)
        bench.proxy.heal()
      })(id)
      await bench.requireRestored(id)
    })
  })

  describe('fails before anything is made', () => {
    afterEach(settle)

    it('when there is no room to lay the dump down', async () => {
      const { scratch, system } = bench
      const pids = system.workers.map(({ pid }) => pid)
      await scratch.fill(Math.max(2 * MIB, scratch.leastBytes), pids)
      await fails({ code: 'TEMPORARY_SPACE_FULL', cause: nothing })
    })

    it('when the account may have no more connections', async () => {
      await bench.allowConnections(1)
      await fails({ code: 'TARGET_UNREACHABLE', says: /no connection left/, cause: nothing })
    })

    it('when the server is away', async () => {
      bench.proxy.cut()
      await fails({ code: 'TARGET_UNREACHABLE', cause: nothing })
    })

    it('when it is cancelled', async () => {
      bench.proxy.slowDown(SLOW)
      const arriving = async (id: string) => {
        await untilPhase(bench.system, id, 'staging')
        await cancel(id)
      }
      await fails({ code: 'CANCELLED', cause: arriving })
    })
  })

  it('does not get mixed up with another that has come another way to the same database', async () => {
    const { backup, proxy, server, system } = bench
    const other = system.startWorker()
    await expect.poll(() => other.output(), { timeout: 20_000 }).toContain('taking jobs')
    const ports = [server.port, proxy.port]
    const targets = ports.map((port) => server.urlOf('dest').replace(`:${server.port}/`, `:${port}/`))
    for (const [index, url] of targets.entries()) await addTarget(system, `twin-${index}`, url)
    const asked = await Promise.all(
      targets.map((_, index) => {
        const twin = { ...OVER, into: { target: `twin-${index}` }, confirm: `twin-${index}` }
        return ask(system, `${backup}/restore`, twin)
      }),
    )
    const ended = await Promise.all(asked.map((id) => outcomeOf(system, id)))
    expect(ended).toMatchObject(asked.map(() => ({ state: 'completed', error: null })))
    const [last, first] = ended.toSorted((one, two) => two.finishedAt.localeCompare(one.finishedAt))
    await bench.requireRestored(last.id)
    await bench.requireRestored(first.id)
    await other.kill('SIGTERM')
    await settle()
  })
})
