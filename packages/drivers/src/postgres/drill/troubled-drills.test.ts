import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PostgresServer } from '@holdfast/testing'
import { descendantsOf, never, rejectsWith, startPostgres, waitUntilGone } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { ownName } from '../../client-server/own-names.ts'
import { PostgresRestore } from '../restore/postgres-restore.ts'
import { DrillBench } from '../testing/drill-bench.ts'
import type { DrillTask } from '../testing/drill-process.ts'
import type { Taken } from '../testing/dump-bench.ts'

/** A load that lasts until it is ended. */
const SLOW = `
  CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 100) AS i;
  CREATE FUNCTION nap(int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN IF current_setting('application_name') LIKE 'holdfast-%' THEN PERFORM pg_sleep(60); END IF; RETURN $1; END $$;
  CREATE MATERIALIZED VIEW naps AS SELECT public.nap(a) FROM t;`
/** Several tables, so that one of them is always being compared. */
const MANY = Array.from(
  { length: 8 },
  (_, at) => `CREATE TABLE t${at} AS SELECT i AS a, md5(i::text) AS b FROM generate_series(1, 30000) AS i;`,
).join('\n')

const BUSY: Readonly<Record<string, RegExp>> = { load: /^REFRESH/, comparison: /hash_record_extended/ }

let server: PostgresServer
let bench: DrillBench
const taken: Record<string, Taken> = {}

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 1 } })
  bench = await DrillBench.make(server)
  taken.load = await bench.dumpOf(SLOW)
  taken.comparison = await bench.dumpOf(MANY)
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

function dumpFor(phase: string): Taken {
  return taken[phase] ?? assert.fail()
}

/** Does something while a drill is at work in its scratch database: its session there stands still meanwhile. */
async function whileBusy(phase: string, drill: Promise<unknown>, act: () => unknown): Promise<void> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  drill.then(over, over)
  let pid = await busySession(phase)
  while (pid === null) {
    assert.ok(!isOver, 'it was over too soon')
    await delay(5)
    pid = await busySession(phase)
  }
  process.kill(pid, 'SIGSTOP')
  await act()
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // its server was killed
  }
}

async function busySession(phase: string): Promise<number | null> {
  const rows = await server.sql(
    'postgres',
    `SELECT pid, query FROM pg_stat_activity WHERE datname ~ '^holdfast_drill_' AND state = 'active'`,
  )
  const found = rows.find(({ query }) => BUSY[phase]?.test(String(query)))
  return found === undefined ? null : Number(found.pid)
}

async function requireNothingLeft(phase: string): Promise<void> {
  assert.deepEqual(await bench.own(), [])
  assert.deepEqual(await bench.dumps.sessions(), [])
  assert.deepEqual(await readdir(dirname(dumpFor(phase).file)), ['dump'])
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = delay(ms, 'late', { ref: false })
  assert.notEqual(await Promise.race([work, late]), 'late', `it took longer than ${ms} ms`)
}

describe.each(['load', 'comparison'])('a drill in its %s', (phase) => {
  afterEach(() => requireNothingLeft(phase))

  it('leaves nothing when it is cancelled', async () => {
    const others = await descendantsOf(process.pid)
    const cancel = new AbortController()
    const drill = rejectsWith('CANCELLED', bench.check(dumpFor(phase), { signal: cancel.signal }))
    await whileBusy(phase, drill, () => cancel.abort())
    await within(5_000, drill)
    const started = (await descendantsOf(process.pid)).filter((pid) => !others.includes(pid))
    assert.deepEqual(await waitUntilGone(started), [])
  })

  it('says that the server was killed, in bounded time, and the next one leaves nothing', async () => {
    const operationId = bench.dumps.newOperationId()
    const patience = { tidyWithinMs: 500 }
    const drill = rejectsWith('TARGET_UNREACHABLE', bench.check(dumpFor(phase), { operationId, patience }))
    await whileBusy(phase, drill, () => server.kill())
    await within(10_000, drill)
    await server.resume()
    assert.deepEqual(await bench.own(), [ownName('drill', operationId)])
    const report = await bench.check(dumpFor('comparison'), { operationId })
    assert.ok(report.valid, report.message)
  })
})

describe('a drill in its load', () => {
  const phase = 'load'
  afterEach(() => requireNothingLeft(phase))

  it('says that its session was ended, and leaves nothing', async () => {
    const drill = rejectsWith('TARGET_UNREACHABLE', bench.check(dumpFor(phase)))
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ~ '^holdfast_'`
    await whileBusy(phase, drill, () => server.sql('postgres', end))
    await within(10_000, drill)
  })

  it('says that pg_restore was killed, never that of the dump, and leaves nothing', async () => {
    const drill = rejectsWith('TOOL_FAILED', bench.check(dumpFor(phase)))
    await whileBusy(phase, drill, async () => {
      for (const pid of await descendantsOf(process.pid)) {
        const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
        if (command.includes('pg_restore')) process.kill(pid, 'SIGKILL')
      }
    })
    await within(10_000, drill)
    assert.match((await drill).message, /^pg_restore: was ended by SIGKILL/)
  })

  it('tidies up after a server that comes back soon', async () => {
    const drill = rejectsWith(
      'TARGET_UNREACHABLE',
      bench.check(dumpFor(phase), { patience: { tidyWithinMs: 20_000 } }),
    )
    await whileBusy(phase, drill, () => server.kill())
    await server.resume()
    await within(20_000, drill)
  })

  it('gives up a server that has fallen silent, in bounded time', async () => {
    const patience = { tidyWithinMs: 500, silentForMs: 1_000 }
    const scratchUrl = `${server.url}?connect_timeout=2`
    const drill = rejectsWith('TARGET_UNREACHABLE', bench.check(dumpFor(phase), { scratchUrl, patience }))
    await whileBusy(phase, drill, () => server.freeze())
    try {
      await within(15_000, drill)
    } finally {
      await server.thaw()
    }
    await sweep()
  })
})

async function sweep(
  isOver: (id: string) => Promise<boolean> = async () => true,
  url = server.url,
): Promise<readonly string[]> {
  return new PostgresRestore(bench.dumps.parts(url)).removeLeftovers(isOver, never)
}

describe('a drill whose process was killed', () => {
  /** Begins a drill in a process of its own and kills that. */
  async function beginAndKill(operationId: string): Promise<void> {
    const worker = fork(fileURLToPath(new URL('../testing/drill-process.ts', import.meta.url)), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    })
    const gone = once(worker, 'exit')
    const { context } = bench.dumps.parts(server.url)
    const request = bench.request(dumpFor('load'), { operationId })
    worker.send({ scratchDir: context.scratchDir, request } satisfies DrillTask)
    await whileBusy('load', gone, () => worker.kill('SIGKILL'))
    await gone
  }

  it('leaves a scratch database, which the next attempt replaces', async () => {
    const operationId = bench.dumps.newOperationId()
    await beginAndKill(operationId)
    assert.deepEqual(await bench.own(), [ownName('drill', operationId)])
    const report = await bench.check(dumpFor('comparison'), { operationId })
    assert.ok(report.valid, report.message)
    await requireNothingLeft('load')
  })

  it('leaves a scratch database, which is swept when the operation is over', async () => {
    const operationId = bench.dumps.newOperationId()
    await beginAndKill(operationId)
    assert.deepEqual(await sweep(async () => false), [])
    assert.deepEqual(await bench.own(), [ownName('drill', operationId)])
    const removed = await sweep(async (id) => id === operationId)
    assert.equal(removed.length, 1)
    assert.match(removed[0] ?? '', new RegExp(`${ownName('drill', operationId)}$`))
    assert.deepEqual(await bench.own(), [])
  })
})

describe('a scratch database that cannot be dropped', () => {
  it('is told, and left to the sweep', async () => {
    const operationId = bench.dumps.newOperationId()
    const name = ownName('drill', operationId)
    const drill = bench.check(dumpFor('comparison'), { operationId, patience: { tidyWithinMs: 300 } })
    // as a superuser: nobody else gets in
    const hold = `BEGIN; CREATE TABLE held (); PREPARE TRANSACTION 'holds'`
    await whileBusy('comparison', drill, () => server.sql(name, hold))
    const report = await drill
    assert.ok(report.valid, report.message)
    const told = `scratch database ${name} could not be dropped and is left to the sweep`
    assert.ok(report.message.includes(told), report.message)
    const other = ownName('drill', bench.dumps.newOperationId())
    await server.createDatabase(other)
    const removed = await sweep()
    assert.deepEqual(
      removed.map((place) => place.split('/').at(-1)),
      [other],
    )
    await rejectsWith('DATABASE_LOCKED', sweep())
    const poor = await server.createRole()
    assert.deepEqual(await sweep(undefined, server.urlOf('postgres', poor)), [])
    await server.sql(name, `ROLLBACK PREPARED 'holds'`)
    assert.equal((await sweep()).length, 1)
    assert.deepEqual(await bench.own(), [])
  })
})
