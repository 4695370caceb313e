import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { allow, never, rejectsWith, startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { databaseOf, quote, RestoreBench } from '../testing/restore-bench.ts'

let server: PostgresServer
let bench: RestoreBench

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 5, wal_level: 'logical' } })
  bench = await RestoreBench.make(server)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

/** Clients that connect, work, and connect again as soon as they are thrown out. */
async function hammer(url: string, clients: number) {
  let isOver = false
  let served = 0
  const work = async () => {
    while (!isOver) {
      const { name: user, password } = server.superuser
      const where = { host: '127.0.0.1', port: server.port, database: databaseOf(url), user, password }
      const client = new pg.Client(where)
      client.on('error', () => {})
      try {
        await client.connect()
        for (;;) {
          await client.query('SELECT count(*) FROM items, pg_sleep(0.001)')
          served += 1
          if (isOver) break
        }
      } catch {
        // thrown out
      } finally {
        await client.end().catch(() => {})
      }
    }
  }
  const running = Promise.all(Array.from({ length: clients }, work))
  while (served < clients) await delay(5)
  return async () => {
    isOver = true
    await running
  }
}

describe('a swap and the clients of its destination', () => {
  it('gets through, and back, while clients connect again and again', async () => {
    const source = await bench.seeded(1)
    const url = await bench.seeded(2)
    const old = await bench.digest(url)
    const dump = await bench.dump(source)
    const stop = await hammer(url, 20)
    try {
      const { replaced } = await bench.run(dump, url)
      assert.ok(replaced)
      assert.equal(await bench.digest(url), await bench.digest(source))
      await bench.restore(url).undo(replaced.ticket, allow, never)
      assert.equal(await bench.digest(url), old)
    } finally {
      await stop()
    }
  })

  it('ends clients that are busy, idle in a transaction, listening, or in the database of the restored data', async () => {
    const url = await bench.seeded(3)
    const name = databaseOf(url)
    const ticket = await bench.stage(await bench.dump(await bench.seeded(4)), url)
    const [shadow] = await bench.own()
    const held = [
      await server.hold(name, 'LOCK TABLE items'),
      await server.hold(name, 'LISTEN news'),
      await server.hold(shadow ?? '', 'SELECT FROM items'),
    ]
    const busy = server.sql(name, 'SELECT pg_sleep(600)').catch((error: unknown) => error)
    await bench.restore(url).swap(ticket, allow, never)
    assert.ok((await busy) instanceof Error)
    for (const session of held) await session.release()
  })

  it('names prepared transactions that are in the way, and changes nothing', async () => {
    const url = await bench.seeded(5)
    const old = await bench.digest(url)
    const ticket = await bench.stage(await bench.dump(await bench.seeded(6)), url)
    await server.sql(databaseOf(url), "BEGIN; DELETE FROM parts; PREPARE TRANSACTION 'a forgotten one'")
    const error = await rejectsWith('DATABASE_LOCKED', bench.restore(url).swap(ticket, allow, never))
    assert.match(error.message, /prepared transaction a forgotten one/)
    await server.sql(databaseOf(url), "ROLLBACK PREPARED 'a forgotten one'")
    assert.equal(await bench.digest(url), old)
    assert.ok((await bench.restore(url).swap(ticket, allow, never)).replaced)
  })

  it('names sessions that it may not end, and changes nothing', async () => {
    const user = await server.createRole({ attributes: 'CREATEDB' })
    const name = databaseOf(await server.createDatabase(undefined, `OWNER ${quote(user.name)}`))
    await server.sql(name, 'CREATE TABLE items (id int)')
    const url = server.urlOf(name, user)
    const dump = await bench.dump(await bench.seeded(7))
    const ticket = await bench.stage(dump, url, { options: { keepOwners: false, definer: null } })
    const staged = await bench.own()
    const held = await server.hold(name, "SET application_name = 'the boss'")
    const { warnings } = await bench
      .restore(url)
      .preflight(dump.description, { keepOwners: false, definer: null }, never)
    assert.match(warnings.join(), /pg_signal_backend/)
    const begun = performance.now()
    const error = await rejectsWith('DATABASE_LOCKED', bench.restore(url).swap(ticket, allow, never))
    assert.ok(performance.now() - begun < 30_000)
    for (const expected of [String(held.pid), server.superuser.name, 'the boss']) {
      assert.ok(error.message.includes(expected), error.message)
    }
    assert.deepEqual(await bench.own(), staged)
    await held.release()
    assert.ok((await bench.restore(url).swap(ticket, allow, never)).replaced)
  }, 60_000)

  it('waits no longer than it may for the lock of a database that somebody else changes', async () => {
    const url = `${await bench.seeded(8)}?lock_timeout=500`
    const old = await bench.digest(url)
    const ticket = await bench.stage(await bench.dump(await bench.seeded(9)), url)
    const held = await server.hold('postgres', `ALTER DATABASE ${databaseOf(url)} RENAME TO mine`)
    await rejectsWith('DATABASE_LOCKED', bench.restore(url).swap(ticket, allow, never))
    await held.release()
    assert.equal(await bench.digest(url), old)
  })

  it('takes two restores into one database one after the other, and both back', async () => {
    const before = await bench.own()
    const url = await bench.seeded(10)
    const old = await bench.digest(url)
    const sources = [await bench.seeded(11), await bench.seeded(12)]
    const dumps = await Promise.all(sources.map((source) => bench.dump(source)))
    const tickets = await Promise.all(dumps.map((dump) => bench.stage(dump, url)))
    const both = await Promise.allSettled(
      tickets.map((ticket) => bench.restore(url).swap(ticket, allow, never)),
    )
    for (const [index, result] of both.entries()) {
      // the one that came too late finds another database than it looked at, and can be asked again
      if (result.status === 'rejected') await bench.restore(url).swap(tickets[index] ?? '', allow, never)
    }
    const digests = await Promise.all(sources.map((source) => bench.digest(source)))
    const last = digests.indexOf(await bench.digest(url))
    assert.notEqual(last, -1)
    for (const index of [last, 1 - last]) {
      const { replaced } = await bench
        .restore(url)
        .swap(tickets[index] ?? '', allow, never)
        .catch(() => ({ replaced: null }))
      assert.ok(replaced)
      await bench.restore(url).undo(replaced.ticket, allow, never)
    }
    assert.equal(await bench.digest(url), old)
    assert.deepEqual(await bench.own(), before)
  })

  it('replaces nothing that was not there when the restore began', async () => {
    const dump = await bench.dump(await bench.seeded(13))
    const absent = await bench.absent()
    const empty = await server.createDatabase()
    const tickets = [await bench.stage(dump, absent), await bench.stage(dump, empty)]
    await server.createDatabase(databaseOf(absent))
    await server.sql(databaseOf(empty), 'CREATE TABLE precious (id int)')
    await rejectsWith('DESTINATION_EXISTS', bench.restore(absent).swap(tickets[0] ?? '', allow, never))
    await rejectsWith('DESTINATION_EXISTS', bench.restore(empty).swap(tickets[1] ?? '', allow, never))
    await server.sql(databaseOf(empty), 'DROP TABLE precious')
    assert.ok((await bench.restore(empty).swap(tickets[1] ?? '', allow, never)).replaced)
  })

  it('takes nothing back if somebody has put another database in its place', async () => {
    const url = await bench.seeded(14)
    const { replaced } = await bench.run(await bench.dump(await bench.seeded(15)), url)
    assert.ok(replaced)
    const name = databaseOf(url)
    await server.sql('postgres', `ALTER DATABASE ${name} RENAME TO kept_${name}`)
    await server.createDatabase(name)
    const error = await rejectsWith(
      'UNDO_NOT_POSSIBLE',
      bench.restore(url).undo(replaced.ticket, allow, never),
    )
    assert.match(`${error.message} ${error.hint}`, /holdfast_old_/)
    await server.sql('postgres', `DROP DATABASE ${name}`)
    await bench.restore(url).undo(replaced.ticket, allow, never)
  })

  it('gives up without harm when it is refused while clients hammer', async () => {
    const url = await bench.seeded(16)
    const old = await bench.digest(url)
    const ticket = await bench.stage(await bench.dump(await bench.seeded(17)), url)
    const stop = await hammer(url, 10)
    try {
      const refuse = () => Promise.reject(new AppError('FENCE_LOST', 'somebody else is at it'))
      await rejectsWith('FENCE_LOST', bench.restore(url).swap(ticket, refuse, never))
      assert.equal(await bench.digest(url), old)
    } finally {
      await stop()
    }
  })

  it('drops databases with subscriptions and slots, but not their slots elsewhere', async () => {
    const url = await bench.seeded(18)
    const name = databaseOf(url)
    await server.sql(
      name,
      "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
    )
    await server.sql(name, "SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
    const { replaced } = await bench.run(await bench.dump(await bench.seeded(19)), url)
    assert.ok(replaced)
    const before = await bench.own()
    await bench.restore(url).removeReplaced(replaced.ticket)
    await bench.restore(url).removeReplaced(replaced.ticket)
    assert.equal((await bench.own()).length, before.length - 1)
    await rejectsWith('UNDO_NOT_POSSIBLE', bench.restore(url).undo(replaced.ticket, allow, never))
  })

  it('sweeps what restores left that are over, and never what a swap keeps', async () => {
    const url = await bench.seeded(20)
    const dump = await bench.dump(await bench.seeded(21))
    const { replaced } = await bench.run(dump, url)
    const [over, going] = [bench.newOperationId(), bench.newOperationId()]
    await bench.stage(dump, url, { operationId: over })
    await bench.stage(dump, url, { operationId: going })
    await server.createDatabase('holdfast_new_mine')
    const all = await bench.own()
    const asked: string[] = []
    const isOver = async (operationId: string) => {
      asked.push(operationId)
      return operationId === over
    }
    const removed = await bench.restore(server.urlOf('').replace(/\/$/, '')).removeLeftovers(isOver, never)
    const gone = `holdfast_new_${over.replaceAll('-', '')}`
    assert.deepEqual(removed, [`postgres://127.0.0.1:${server.port}/${gone}`])
    assert.deepEqual(
      await bench.own(),
      all.filter((name) => name !== gone),
    )
    assert.ok(asked.includes(going) && replaced !== null)
    await server.sql('postgres', 'DROP DATABASE holdfast_new_mine')
  })
})
