import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { HeldMariadbSession } from '@holdfast/testing'
import {
  allow,
  fingerprintDifferences,
  mysqlSchemaOf,
  never,
  openMysqlClient,
  rejectsWith,
  startMariadb,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { crash } from '../testing/crashing.ts'
import { SwapBench } from '../testing/swap-bench.ts'
import { NEW, OLD } from '../testing/swap-fillings.ts'
import { discardStaged } from './discard-staged.ts'
import { removeLeftovers } from './remove-leftovers.ts'
import { removeReplaced } from './remove-replaced.ts'
import { runAction } from './run-action.ts'
import { swap } from './swap.ts'
import { undo } from './undo.ts'

const BOUND_MS = 60_000

describe('an exchange among clients', () => {
  let bench: SwapBench
  beforeAll(async () => {
    bench = new SwapBench(await startMariadb())
  })
  afterAll(() => bench?.server.stop())

  const impatient = (url: string) => {
    const parts = bench.parts(url)
    return { ...parts, connection: { ...parts.connection, lockTimeoutMs: 1000 } }
  }
  const same = async (url: string, expected: readonly string[]) =>
    assert.deepEqual(fingerprintDifferences(expected, await bench.fingerprint(url)), [])

  it('gives up in time when a transaction holds a table, names it, and changes nothing', async () => {
    const url = await bench.fill(OLD)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    const holder = await bench.server.hold(mysqlSchemaOf(url), 'SELECT COUNT(*) FROM children')
    try {
      const failure = await rejectsWith('DATABASE_LOCKED', swap(impatient(url), staged.ticket, allow, never))
      assert.match(failure.message, new RegExp(`session ${holder.id} `))
    } finally {
      await holder.release()
    }
    await same(url, before)
    await swap(impatient(url), staged.ticket, allow, never)
    await same(url, staged.fingerprint)
  })

  it.each([
    ['routine', 'SELECT changing()'],
    ['view', 'SELECT * FROM changing_view'],
  ])('takes everything back while a transaction goes on holding a %s', async (_kind, statement) => {
    const url = await bench.fill(OLD)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    const holder = await bench.server.hold(mysqlSchemaOf(url), statement)
    try {
      await rejectsWith('DATABASE_LOCKED', swap(impatient(url), staged.ticket, allow, never))
      await same(url, before)
    } finally {
      await holder.release()
    }
    await swap(impatient(url), staged.ticket, allow, never)
    await same(url, staged.fingerprint)
  })

  it('comes back when a table is held after its triggers are gone', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const schema = mysqlSchemaOf(url)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    let holder: HeldMariadbSession | null = null
    const run: typeof runAction = async (session, action) => {
      if (action.do === 'drop' && action.program.kind === 'function' && holder === null) {
        const [hidden] = await bench.server.sql(schema, "SHOW TABLES LIKE 'holdfast\\_%\\_o0'")
        holder = await bench.server.hold(schema, `SELECT 1 FROM ${Object.values(hidden ?? {})[0]}`)
        // long enough to be in the way of going on, and of the first attempts to go back
        delay(2500).then(() => holder?.release())
      }
      await runAction(session, action)
    }
    await rejectsWith('DATABASE_LOCKED', swap(impatient(url), staged.ticket, allow, never, run))
    await same(url, before)
  })

  it('shows clients old or new rows or an error, and misses no trigger', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const clients = new Clients(url)
    const working = clients.work()
    for (let round = 0; round < 2; round += 1) {
      const staged = await bench.stage(url, NEW)
      const { replaced } = await swap(bench.parts(url), staged.ticket, allow, never)
      await delay(100)
      const aside = replaced?.location.split('/').at(-1) ?? ''
      assert.deepEqual(await loggedIn(bench, aside), await insertedInto(bench, aside), 'aside')
      await undo(bench.parts(url), replaced?.ticket ?? '', allow, never)
      await delay(100)
    }
    const staged = await bench.stage(url, NEW)
    await swap(bench.parts(url), staged.ticket, allow, never)
    await delay(100)
    clients.stop()
    await working
    assert.deepEqual(clients.complaints, [])
    assert.ok(clients.reads > 50 && clients.writes > 50, `${clients.reads} reads, ${clients.writes} writes`)
    const live = mysqlSchemaOf(url)
    assert.deepEqual(await loggedIn(bench, live), await insertedInto(bench, live))
  })

  it('lets two at once happen one after the other', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const old = await bench.fingerprint(url)
    const both = [await bench.stage(url, NEW), await bench.stage(url, { sql: 'CREATE TABLE b (a INT)' })]
    const ends = await Promise.all(both.map(({ ticket }) => swap(bench.parts(url), ticket, allow, never)))
    const tickets = ends.map(({ replaced }) => replaced?.ticket ?? assert.fail())
    // the newer one first: one of the two refuses
    const order = await undo(bench.parts(url), tickets[1] ?? '', allow, never).then(
      () => [0],
      () => [0, 1],
    )
    for (const index of order) await undo(bench.parts(url), tickets[index] ?? '', allow, never)
    await same(url, old)
  })

  it('takes back what another one left half done, whoever comes next', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const parts = bench.parts(url)
    const old = await bench.fingerprint(url)
    const halfDone = async (at: number) => {
      const staged = await bench.stage(url, NEW)
      await crash({ at, when: 'after' }, (run) => swap(parts, staged.ticket, allow, never, run))
      return staged
    }
    const first = await halfDone(12)
    const other = await bench.stage(url, { sql: 'CREATE TABLE b (a INT)' })
    // the worker of the first one is gone, and its session with it
    await endSwaps(bench)
    const { replaced } = await swap(parts, other.ticket, allow, never)
    await same(url, other.fingerprint)
    await undo(parts, replaced?.ticket ?? '', allow, never)
    await same(url, old)

    await crash({ at: 8, when: 'after' }, (run) => swap(parts, first.ticket, allow, never, run))
    await discardStaged(parts, first.operationId)
    await same(url, old)

    const third = await halfDone(15)
    await endSwaps(bench)
    await removeLeftovers(parts, async (id) => id === third.operationId, never)
    await same(url, old)

    const fourth = await bench.stage(url, NEW)
    const kept = (await swap(parts, fourth.ticket, allow, never)).replaced?.ticket ?? ''
    await crash({ at: 14, when: 'after' }, (run) => undo(parts, kept, allow, never, run))
    await removeReplaced(parts, kept)
    await same(url, fourth.fingerprint)
    await rejectsWith('UNDO_NOT_POSSIBLE', undo(parts, kept, allow, never))
  })

  it('is cancelled between two changes, and takes back what it has done', async () => {
    const url = await bench.fill(OLD)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    const cancel = new AbortController()
    const run: typeof runAction = async (session, action) => {
      if (action.do === 'set-defaults') cancel.abort()
      await runAction(session, action)
    }
    await rejectsWith('CANCELLED', swap(bench.parts(url), staged.ticket, allow, cancel.signal, run))
    await same(url, before)
  })
})

/** What is not there at the moment is an answer; anything else is not. */
const ABSENT = [1146, 1356, 1305, 1412, 1213, 1049]

/** Sessions that read and write without a pause. Rows are of the year 1 before, and 2 after; what they write is of 9. */
class Clients {
  readonly complaints: string[] = []
  reads = 0
  writes = 0
  readonly #url: string
  #isOver = false

  constructor(url: string) {
    this.#url = url
  }

  stop(): void {
    this.#isOver = true
  }

  async work(): Promise<void> {
    await Promise.all([
      this.#loop('INSERT INTO parents (year) VALUES (9)'),
      this.#loop('SELECT DISTINCT year FROM history'),
      this.#loop('SELECT DISTINCT year FROM changing_view WHERE year < 9'),
      this.#loop('SELECT DISTINCT p.year FROM children AS c JOIN parents AS p ON p.id = c.parent'),
    ])
  }

  async #loop(sql: string): Promise<void> {
    const client = await openMysqlClient(this.#url)
    while (!this.#isOver) {
      try {
        const years = (await client.query(sql)).map(({ year }) => year)
        if (sql.startsWith('INSERT')) {
          this.writes += 1
          await delay(2)
          continue
        }
        this.reads += 1
        if (years.length !== 1 || (years[0] !== 1 && years[0] !== 2)) this.complaints.push(`${sql}: ${years}`)
      } catch (error) {
        const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
        if (!ABSENT.includes(errno)) this.complaints.push(`${sql}: ${error}`)
        await delay(2)
      }
    }
    await client.end()
  }
}

async function insertedInto(bench: SwapBench, schema: string): Promise<unknown> {
  const [row] = await bench.server.sql(schema, 'SELECT COUNT(*) AS n FROM parents WHERE year = 9')
  return row?.n
}

async function loggedIn(bench: SwapBench, schema: string): Promise<unknown> {
  const [row] = await bench.server.sql(schema, "SELECT COUNT(*) AS n FROM log WHERE what IN ('old', 'new')")
  return row?.n
}

async function endSwaps(bench: SwapBench): Promise<void> {
  const rows = await bench.server.sql(
    null,
    "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep' AND USER = 'holdfast'",
  )
  for (const { id } of rows) await bench.server.sql(null, `KILL ${id}`).catch(() => {})
  // a session lets go of its locks a moment after it was ended
  await delay(200)
}
