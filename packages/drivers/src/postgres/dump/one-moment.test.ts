import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { compareSequences, compareTables } from '../contents/compare-contents.ts'
import { DumpBench, databaseOf } from '../testing/dump-bench.ts'

let server: PostgresServer
let bench: DumpBench

beforeAll(async () => {
  server = await startPostgres()
  bench = await DumpBench.make(server)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

const TABLES = `
  CREATE TABLE accounts (id int PRIMARY KEY, balance bigint);
  INSERT INTO accounts SELECT i, 1000 FROM generate_series(1, 2000) i;
  CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), text text);
  CREATE TABLE parts (key int, value text) PARTITION BY HASH (key);
  CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE refilled (id int);
  INSERT INTO refilled SELECT generate_series(1, 100);`

/** In one transaction each: something in every table, and the whole content of one. */
const CHANGES = [
  `UPDATE accounts SET balance = balance + CASE id WHEN 1 + $1 % 2000 THEN 7 ELSE -7 END
   WHERE id IN (1 + $1 % 2000, 1 + ($1 + 1) % 2000)`,
  "INSERT INTO log (text) SELECT repeat('x', $1 % 500) FROM generate_series(1, 5)",
  "INSERT INTO parts VALUES ($1, 'v' || $1); DELETE FROM parts WHERE key = $1 - 50",
  'TRUNCATE refilled; INSERT INTO refilled SELECT generate_series(1, 100)',
]

async function writeUntil(signal: AbortSignal, database: string, seed: number): Promise<void> {
  for (let round = seed; !signal.aborted; round += 4) {
    const change = CHANGES[round % CHANGES.length] ?? ''
    await server.sql(database, `BEGIN; ${change.replaceAll('$1', String(round))}; COMMIT`)
    await delay(seed === 3 ? 300 : 2)
  }
}

describe('a dump beside writers', () => {
  it('shows one moment, with its counts and digests, while every table changes', async () => {
    const url = await server.createDatabase()
    const database = databaseOf(url)
    await server.sql(database, TABLES)
    const stop = new AbortController()
    const writers = [0, 1, 2, 3].map((seed) => writeUntil(stop.signal, database, seed))
    const formats = ['custom', 'directory', 'plain', 'custom', 'tar']
    const dumps = []
    try {
      for (const format of formats) dumps.push(await bench.dump(url, { format }))
    } finally {
      stop.abort()
      await Promise.all(writers)
    }
    for (const taken of dumps) {
      const { summary, contents } = taken
      assert.equal(summary.rowCounts['public.accounts'], 2000)
      assert.equal(summary.rowCounts['public.refilled'], 100)
      const copy = await bench.restore(taken)
      const found = await bench.contentsOf(copy)
      assert.ok(contents.digests)
      assert.deepEqual(compareTables(contents.digests, found.digests), { differences: [], warnings: [] })
      assert.deepEqual(compareSequences(contents.sequences, found.sequences), [])
      const [sum] = await server.sql(databaseOf(copy), 'SELECT sum(balance)::int AS sum FROM accounts')
      assert.deepEqual(sum, { sum: 2_000_000 })
    }
    const counts = dumps.map(({ summary }) => summary.rowCounts['public.log'] ?? 0)
    assert.ok(new Set(counts).size > 1, `nothing was written meanwhile: ${counts}`)
  })

  it('waits for tables that are dropped and made anew all the time', async () => {
    const url = await server.createDatabase()
    const database = databaseOf(url)
    await server.sql(database, TABLES)
    const stop = new AbortController()
    const writer = (async () => {
      while (!stop.signal.aborted) {
        await server.sql(
          database,
          `BEGIN; DROP TABLE refilled; CREATE TABLE refilled AS SELECT generate_series(1, 100) AS id; COMMIT;`,
        )
        await delay(300)
      }
    })()
    try {
      for (const format of ['custom', 'directory', 'custom']) {
        const { summary } = await bench.dump(url, { format })
        assert.equal(summary.rowCounts['public.refilled'], 100)
      }
    } finally {
      stop.abort()
      await writer
    }
  })
})
