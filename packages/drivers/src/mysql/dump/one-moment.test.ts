import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DumpBench, dumpPrograms, schemaOf } from '../testing/dump-bench.ts'
import { otherTools } from '../testing/other-tools.ts'

let server: MariadbServer
let bench: DumpBench

beforeAll(async () => {
  server = await startMariadb({ binlog: true })
  bench = await DumpBench.make(server)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await dumpPrograms(), [])
  assert.deepEqual(await bench.lingering(), [])
})

const TABLES = `
  CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
  INSERT INTO accounts SELECT seq, 1000 FROM seq_1_to_2000;
  CREATE TABLE log (id bigint AUTO_INCREMENT PRIMARY KEY, at timestamp(6) DEFAULT current_timestamp(6), text text);
  CREATE TABLE history (id int PRIMARY KEY, value text) WITH SYSTEM VERSIONING;
  INSERT INTO history SELECT seq, 'first' FROM seq_1_to_100;`

async function makeAccounts(): Promise<string> {
  const url = await server.createDatabase()
  await server.sql(schemaOf(url), TABLES)
  return url
}

/** In one transaction: two accounts, the log, and a row with a history. */
async function writeUntil(signal: AbortSignal, url: string, seed: number): Promise<number> {
  let longestMs = 0
  for (let round = seed; !signal.aborted; round += 2) {
    const since = performance.now()
    await server.sql(
      schemaOf(url),
      `BEGIN;
       UPDATE accounts SET balance = balance + IF(id = 1 + ${round} % 2000, 7, -7)
         WHERE id IN (1 + ${round} % 2000, 1 + (${round} + 1) % 2000);
       INSERT INTO log (text) VALUES (REPEAT('x', ${round} % 500)), ('y');
       UPDATE history SET value = '${round}' WHERE id = 1 + ${round} % 100;
       COMMIT`,
    )
    longestMs = Math.max(longestMs, performance.now() - since)
  }
  return longestMs
}

describe('a dump of a quiet server with a binary log', () => {
  it('counts exactly without any lock', async () => {
    const url = await makeAccounts()
    const taken = await bench.dump(url)
    assert.equal(taken.summary.counting, 'exact')
    assert.equal(taken.contents.reason, null)
    assert.deepEqual(taken.summary.warnings, [])
    assert.deepEqual(taken.summary.rowCounts, { accounts: 2000, log: 0, history: 100 })
    const copy = await bench.countsOf(await bench.load(taken))
    for (const [table, exactly] of Object.entries(DumpBench.exactly(taken))) {
      assert.deepEqual({ rows: copy[table]?.rows, digest: copy[table]?.digest }, exactly, table)
      assert.notEqual(exactly.digest, null)
    }
  })
})

describe('a dump beside writers', () => {
  it('says that its counts are not exact, and why, unless it may take a brief lock', async () => {
    const url = await makeAccounts()
    const stop = new AbortController()
    const writers = [0, 1].map((seed) => writeUntil(stop.signal, url, seed))
    try {
      const { summary, contents } = await bench.dump(url)
      assert.equal(summary.counting, 'estimate')
      assert.match(contents.reason ?? '', /committed while the dump began.*brief_lock=on/)
      assert.match(summary.warnings.join('\n'), /^counts are not exact: .*brief_lock=on/m)
      assert.ok(contents.tables.every(({ digest }) => digest === null))
      assert.equal(summary.rowCounts.accounts, 2000)
    } finally {
      stop.abort()
      await Promise.all(writers)
    }
  })

  it('counts exactly with a brief lock, for which others wait no longer than it takes to begin', async () => {
    const url = await makeAccounts()
    const stop = new AbortController()
    const writers = [0, 1].map((seed) => writeUntil(stop.signal, url, seed))
    const dumps = []
    let longestMs = 0
    try {
      for (let round = 0; round < 4; round += 1) dumps.push(await bench.dump(`${url}?brief_lock=on`))
    } finally {
      stop.abort()
      longestMs = Math.max(...(await Promise.all(writers)))
    }
    assert.ok(longestMs < 3_000, `a writer waited ${Math.round(longestMs)} ms`)
    for (const taken of dumps) {
      assert.equal(taken.summary.counting, 'exact')
      const loaded = await bench.load(taken)
      const copy = await bench.countsOf(loaded)
      for (const [table, exactly] of Object.entries(DumpBench.exactly(taken))) {
        assert.deepEqual({ rows: copy[table]?.rows, digest: copy[table]?.digest }, exactly, table)
      }
      const [sum] = await server.sql(
        schemaOf(loaded),
        'SELECT CAST(SUM(balance) AS int) AS sum FROM accounts',
      )
      assert.deepEqual(sum, { sum: 2_000_000 })
    }
    const counts = dumps.map(({ summary }) => summary.rowCounts.log ?? 0)
    assert.ok(new Set(counts).size > 1, `nothing was written meanwhile: ${counts}`)
  })

  it('tells how long others may have waited if that was long', async () => {
    const url = await makeAccounts()
    const toolbox = await otherTools(bench, 'sleep 0.5; exec "$real" "$@"')
    const { summary } = await bench.dump(`${url}?brief_lock=on`, { toolbox })
    assert.equal(summary.counting, 'exact')
    const [, waitedMs] = /may have waited for (\d+) ms/.exec(summary.warnings.join('\n')) ?? []
    assert.ok(Number(waitedMs) >= 500 && Number(waitedMs) < 3_000, summary.warnings.join())
  })
})

describe('a brief lock', () => {
  it('is refused before anything is done if the account lacks RELOAD', async () => {
    const url = await makeAccounts()
    const account = await server.createAccount({
      grants: [`SELECT ON *.*`, 'SHOW VIEW, TRIGGER, EVENT ON *.*'],
    })
    const mine = server.urlOf(schemaOf(url), account)
    const failure = await rejectsWith('DATABASE_ACCESS_DENIED', bench.dump(`${mine}?brief_lock=on`))
    assert.match(failure.message, /RELOAD/)
    assert.equal((await bench.dump(mine)).summary.counting, 'exact')
  })

  it('is given back if a dump program does not begin', async () => {
    const url = await makeAccounts()
    const toolbox = await otherTools(bench, 'sleep 4; exec "$real" "$@"')
    const dumping = bench.dump(`${url}?brief_lock=on`, { toolbox })
    await lockTaken()
    assert.ok((await insertedAfterMs(url)) < 4_500)
    const { summary } = await dumping
    assert.equal(summary.counting, 'estimate')
    assert.match(summary.warnings.join('\n'), /took too long to begin/)
  })

  it.each([
    ['the dump program is killed', 'TOOL_FAILED', killPrograms],
    ['the session that holds it is ended', 'TARGET_UNREACHABLE', endSessions],
  ] as const)('is free when %s', async (_how, code, cause) => {
    const url = await makeAccounts()
    const toolbox = await otherTools(bench, 'sleep 60')
    const failing = rejectsWith(code, bench.dump(`${url}?brief_lock=on`, { toolbox }))
    await lockTaken()
    await cause()
    assert.ok((await insertedAfterMs(url)) < 3_000)
    await failing
  })

  it('is free when the dump is cancelled', async () => {
    const url = await makeAccounts()
    const toolbox = await otherTools(bench, 'sleep 60')
    const cancel = new AbortController()
    const failing = rejectsWith(
      'CANCELLED',
      bench.dump(`${url}?brief_lock=on`, { toolbox, signal: cancel.signal }),
    )
    await lockTaken()
    cancel.abort()
    assert.ok((await insertedAfterMs(url)) < 3_000)
    await failing
  })

  it('is not waited for longer than the URL allows', async () => {
    const url = await makeAccounts()
    const held = await server.hold(null, 'BACKUP STAGE START')
    const since = performance.now()
    const failure = await rejectsWith('DATABASE_LOCKED', bench.dump(`${url}?brief_lock=on&lock_timeout=1000`))
    assert.match(failure.message, /brief lock/)
    assert.ok(performance.now() - since < 6_000)
    await held.release()
  })
})

/** Resolves when nobody can commit any more: the dump program starts after that. */
async function lockTaken(): Promise<void> {
  for (let tries = 0; tries < 200 && (await dumpPrograms()).length === 0; tries += 1) await delay(25)
  assert.notDeepEqual(await dumpPrograms(), [])
}

async function killPrograms(): Promise<void> {
  for (const pid of await dumpPrograms()) process.kill(-pid, 'SIGKILL')
}

async function insertedAfterMs(url: string): Promise<number> {
  const since = performance.now()
  await server.sql(schemaOf(url), "INSERT INTO log (text) VALUES ('free')")
  return performance.now() - since
}

async function endSessions(): Promise<void> {
  const rows = await server.sql(
    null,
    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command = 'Sleep'",
  )
  for (const { id } of rows) await server.sql(null, `KILL CONNECTION ${String(id)}`).catch(() => {})
}
