import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { MysqlTroubles } from './support/mysql-troubles.ts'
import { openMysqlTroubles } from './support/mysql-troubles.ts'
import { ask, outcomeOf, untilPhase } from './support/operations.ts'
import type { Trouble } from './support/troubled-bench.ts'

/** The dump takes seconds at this rate. */
const SLOW = 1_500_000
const MIB = 1024 * 1024

describe('a backup of MariaDB', { timeout: 60_000 }, () => {
  let bench: MysqlTroubles

  beforeAll(async () => {
    bench = await openMysqlTroubles()
  })
  afterAll(() => bench?.close())
  afterEach(async () => {
    await bench.heal()
    await bench.requireUntouched()
    await bench.requireBackup()
  })

  const fails = (trouble: Trouble) => bench.fails('/v1/backups', { target: 'shop' }, trouble)
  const cancel = (id: string) => bench.system.call('POST', `/v1/operations/${id}/cancel`)
  const nothing = async () => {}

  /** Waits until a part of the dump has come, and much of it has not. */
  const inTheMiddle = (act: (id: string) => unknown) => async (id: string) => {
    bench.proxy.slowDown(SLOW)
    await untilPhase(bench.system, id, 'dumping', MIB / 2)
    await act(id)
  }

  it('fails when the server is killed', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.server.kill()) })
  })

  it('fails when the server stands still', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.server.freeze()) })
  })

  it('fails when the network is cut', async () => {
    await fails({ code: 'TARGET_UNREACHABLE', cause: inTheMiddle(() => bench.proxy.cut()) })
  })

  it('fails when the dump program is killed', async () => {
    const kill = inTheMiddle(async () => {
      for (const pid of await bench.programs('mariadb-dump')) process.kill(pid, 'SIGKILL')
    })
    await fails({ code: 'TOOL_FAILED', says: /the dump program.*SIGKILL/, cause: kill })
  })

  it('fails when an administrator ends its sessions', async () => {
    const end = inTheMiddle(async () => {
      await bench.server.sql(null, 'KILL CONNECTION USER service')
      // what is still under way comes first
      bench.proxy.heal()
    })
    await fails({ code: 'TARGET_UNREACHABLE', cause: end })
  })

  it('fails when the account may have no more connections', async () => {
    await bench.allowConnections(1)
    await fails({ code: 'TARGET_UNREACHABLE', says: /no connection left/, cause: nothing })
  })

  it('fails when a table is locked', async () => {
    const held = await bench.server.hold('shop', 'LOCK TABLES items WRITE')
    await fails({ code: 'DATABASE_LOCKED', says: /lock/, cause: nothing })
    await held.release()
  })

  it('fails when a view is invalid', async () => {
    await bench.server.sql(
      'shop',
      'CREATE TABLE gone (a INT); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone',
    )
    await fails({ code: 'DATABASE_INVALID', says: /broken/, cause: nothing })
    await bench.server.sql('shop', 'DROP VIEW broken')
  })

  it('is tried again when a table was changed meanwhile', async () => {
    const { system, server } = bench
    const id = await ask(system, '/v1/backups', { target: 'patient' })
    await inTheMiddle(() => server.sql('shop', 'ALTER TABLE limited ADD COLUMN more INT DEFAULT 5'))(id)
    bench.proxy.heal()
    const { backupId, ...operation } = await outcomeOf(system, id)
    expect(operation).toMatchObject({ state: 'completed', error: null, attempts: 2 })
    expect((await system.call('GET', '/v1/backups?target=patient')).body.items).toMatchObject([
      { id: backupId },
    ])
    await server.sql('shop', 'ALTER TABLE limited DROP COLUMN more')
  })

  it('fails when the storage is full', async () => {
    const { storage, system } = bench
    const pids = system.workers.map(({ pid }) => pid)
    await storage.fill(Math.max(2 * MIB, storage.leastBytes), pids)
    await fails({ code: 'STORAGE_FULL', cause: nothing })
  })

  it('can be cancelled while it waits for a lock', async () => {
    const held = await bench.server.hold('shop', 'LOCK TABLES items WRITE')
    const waiting = async (id: string) => {
      await untilPhase(bench.system, id, 'inspecting')
      await sleep(150)
      await cancel(id)
    }
    await fails({ code: 'CANCELLED', cause: waiting })
    await held.release()
  })

  it('can be cancelled while it is dumped', async () => {
    await fails({ code: 'CANCELLED', cause: inTheMiddle(cancel) })
  })
})
