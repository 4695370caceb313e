import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { descendantsOf, rejectsWith, startPostgres, waitUntilGone } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { Trouble } from '../../client-server/testing/fails-in-time.ts'
import { failsInTime } from '../../client-server/testing/fails-in-time.ts'
import { GatedSink } from '../../client-server/testing/gated-sink.ts'
import { startProxy } from '../../client-server/testing/tcp-proxy.ts'
import type { DumpChange } from '../testing/dump-bench.ts'
import { DumpBench, databaseOf } from '../testing/dump-bench.ts'

/** More than pipes and sockets between the server and a sink can hold. */
const ROWS = 400_000

let server: PostgresServer
let bench: DumpBench
let url: string

beforeAll(async () => {
  server = await startPostgres()
  bench = await DumpBench.make(server)
  url = await server.createDatabase()
  await server.sql(
    databaseOf(url),
    `CREATE TABLE large AS SELECT i, md5(i::text) AS text FROM generate_series(1, ${ROWS}) i;
     CREATE TABLE small AS SELECT 1 AS id`,
  )
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await programs(), [])
  // a server that was frozen or halted in between needs longer
  await requireNoSession(5_000)
})

/** A session that was just being made sees for itself that nobody is there. */
async function requireNoSession(withinMs: number): Promise<void> {
  for (let leftMs = withinMs; leftMs > 0 && (await bench.sessions()).length > 0; leftMs -= 50) await delay(50)
  assert.deepEqual(await bench.sessions(), [])
}

/** Programs of PostgreSQL that this process has started and that still run. */
async function programs(): Promise<readonly number[]> {
  const pids = await descendantsOf(process.pid)
  const names = await Promise.all(
    pids.map(
      async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')[0] ?? '',
    ),
  )
  return pids.filter((_pid, index) => /pg_(dump|dumpall|restore)$/.test(names[index] ?? ''))
}

function fails(trouble: Trouble & { readonly change?: DumpChange }, from = url): Promise<Error> {
  const { change, ...expected } = trouble
  return failsInTime(expected, (into) => bench.dump(from, { into, ...change }))
}

const SESSIONS_OF = (condition: string) =>
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast-%' AND ${condition}`

describe('a dump fails in bounded time and leaves nothing', () => {
  it('when pg_dump is killed while nothing flows any more', async () => {
    const failure = await fails({
      ...{ code: 'TOOL_FAILED', withinMs: 5_000 },
      cause: async () => {
        await delay(1_000)
        for (const pid of await programs()) process.kill(pid, 'SIGKILL')
      },
    })
    assert.match(failure.message, /SIGKILL/)
  })

  it('when a parallel pg_dump is killed', async () => {
    const slow = await server.createDatabase()
    await server.sql(databaseOf(slow), 'SELECT count(lo_create(0)) FROM generate_series(1, 20000)')
    const rejected = rejectsWith('TOOL_FAILED', bench.dump(slow, { format: 'directory' }))
    let running: readonly number[] = []
    while (running.length < 3) {
      await delay(5)
      running = (await programs()).toSorted((one, other) => one - other)
    }
    process.kill(running[0] ?? process.pid, 'SIGKILL')
    const since = performance.now()
    await rejected
    assert.ok(performance.now() - since < 5_000)
    assert.deepEqual(await waitUntilGone(running, 1_000), [])
  })

  it('when an administrator ends the session of pg_dump', async () => {
    await fails({
      ...{ code: 'TARGET_UNREACHABLE', withinMs: 5_000 },
      cause: async (sink) => {
        await server.sql('postgres', SESSIONS_OF("query LIKE 'COPY%'"))
        sink.open()
      },
    })
  })

  it('when an administrator ends our own sessions', async () => {
    await fails({
      ...{ code: 'TARGET_UNREACHABLE', withinMs: 5_000 },
      cause: () => server.sql('postgres', SESSIONS_OF("query NOT LIKE 'COPY%'")),
    })
  })

  it('when the server is halted', async () => {
    try {
      await fails({ code: 'TARGET_UNREACHABLE', withinMs: 8_000, cause: () => server.halt() })
    } finally {
      await server.resume()
    }
  })

  it('when the server stands still', async () => {
    try {
      await fails({ code: 'TARGET_UNREACHABLE', withinMs: 15_000, cause: () => server.freeze() })
    } finally {
      await server.thaw()
    }
  })

  it('when the network swallows everything', async () => {
    const proxy = await startProxy(server.port)
    try {
      const from = url.replace(`:${server.port}/`, `:${proxy.port}/`)
      const stall = async () => proxy.stall()
      await fails({ code: 'TARGET_UNREACHABLE', withinMs: 15_000, cause: stall }, from)
    } finally {
      await proxy.close()
    }
  })

  it.each(['custom', 'directory'])('when a table is locked, in format %s', async (format) => {
    const held = await server.hold(databaseOf(url), 'LOCK TABLE small IN ACCESS EXCLUSIVE MODE')
    try {
      const failure = await rejectsWith('DATABASE_LOCKED', bench.dump(`${url}?lock_timeout=500`, { format }))
      assert.match(failure.message, new RegExp(`process ${held.pid}\\).*public\\.small`))
    } finally {
      await held.release()
    }
  })

  it.each([1, 2])('when the server lets in no more than %d sessions', async (limit) => {
    const role = await server.createRole({ attributes: `IN ROLE pg_read_all_data CONNECTION LIMIT ${limit}` })
    const failure = await rejectsWith('TARGET_UNREACHABLE', bench.dump(server.urlOf(databaseOf(url), role)))
    assert.match(failure.message, /no connection left/)
  })

  it('when the sink fails', async () => {
    const into = new GatedSink()
    const failing = assert.rejects(bench.dump(url, { into }), /no more space/)
    await into.reached
    into.destroy(new Error('no more space'))
    await failing
  })

  it('when it is cancelled while the sink takes no more', async () => {
    const cancel = new AbortController()
    const change = { signal: cancel.signal }
    await fails({ code: 'CANCELLED', withinMs: 5_000, change, cause: async () => cancel.abort() })
  })
})

describe('a cancelled dump', () => {
  it.each(['custom', 'plain', 'directory', 'tar'])(
    'of format %s leaves nothing at any moment',
    async (format) => {
      for (const afterMs of [0, 20, 60, 120, 200, 300]) {
        const signal = AbortSignal.timeout(afterMs)
        const into = new GatedSink()
        await rejectsWith('CANCELLED', bench.dump(url, { format, signal, into }))
        await requireNoSession(1_000)
      }
    },
  )
})

describe('a dump', () => {
  it('counts a table one of whose indexes is taken for a while', async () => {
    const other = await server.createDatabase()
    const database = databaseOf(other)
    await server.sql(database, 'CREATE TABLE indexed (id int PRIMARY KEY); INSERT INTO indexed VALUES (1)')
    const held = await server.hold(database, 'REINDEX INDEX indexed_pkey')
    const dumping = bench.dump(`${other}?lock_timeout=400`)
    await delay(700)
    await held.release()
    assert.equal((await dumping).summary.rowCounts['public.indexed'], 1)
  })

  it('ends what an earlier attempt at the same operation has left', async () => {
    const operationId = bench.newOperationId()
    const left = await server.hold(
      databaseOf(url),
      `SET application_name = 'holdfast-${operationId}'; LOCK TABLE small`,
    )
    const { summary } = await bench.dump(url, { operationId })
    assert.equal(summary.rowCounts['public.large'], ROWS)
    await left.release()
  })
})
