import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { MariadbServer } from '@holdfast/testing'
import { descendantsOf, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { startProxy } from '../../client-server/testing/tcp-proxy.ts'
import { waitUntil } from '../../client-server/testing/waiting.ts'
import { ownName } from '../own-names.ts'
import type { Taken } from '../testing/dump-bench.ts'
import { argumentsOf } from '../testing/dump-bench.ts'
import { describe as describeDump, RestoreBench } from '../testing/restore-bench.ts'
import type { StageTask } from '../testing/stage-process.ts'

let server: MariadbServer
let bench: RestoreBench
let live: string
/** Loading it lasts long enough for something to happen meanwhile. */
let long: Taken
let short: Taken

beforeAll(async () => {
  server = await startMariadb()
  bench = await RestoreBench.make(server)
  live = await bench.database('CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2)', 'live')
  short = await bench.dumpOf('CREATE TABLE t (a int); INSERT INTO t VALUES (1)')
  long = await bench.dumpOf(`
    CREATE TABLE t (a int, b char(32), c char(32), INDEX (b), INDEX (c, a), INDEX (a, b));
    INSERT INTO t SELECT seq, MD5(seq), MD5(seq + 1) FROM seq_1_to_250000`)
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})
afterEach(async () => {
  assert.equal((await server.sql('live', 'SELECT * FROM t')).length, 2)
  assert.deepEqual(await bench.own(), [])
  await waitUntil(async () => (await bench.dumps.sessions()).length === 0)
  assert.deepEqual(await clients(), [])
})

async function clients(): Promise<readonly number[]> {
  const pids = await descendantsOf(process.pid)
  const found = await Promise.all(pids.map(async (pid) => [pid, await argumentsOf(pid)] as const))
  return found.flatMap(([pid, args]) =>
    args.some((arg) => arg.startsWith('--database=holdfast_')) ? [pid] : [],
  )
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = delay(ms, 'late', { ref: false })
  assert.notEqual(await Promise.race([work, late]), 'late', `it took longer than ${ms} ms`)
}

const ROWS = 'INSERT INTO %'

describe('a restore in its load', () => {
  it('leaves nothing when it is cancelled', async () => {
    const cancel = new AbortController()
    const staging = rejectsWith('CANCELLED', bench.stage(long, live, { signal: cancel.signal }))
    await bench.untilLoading(ROWS)
    cancel.abort()
    await within(5_000, staging)
  })

  it('says that the client was killed, and leaves nothing', async () => {
    const staging = rejectsWith('TOOL_FAILED', bench.stage(long, live))
    await bench.untilLoading(ROWS)
    for (const pid of await clients()) process.kill(pid, 'SIGKILL')
    await within(10_000, staging)
    assert.match((await staging).message, /^mariadb: was ended by SIGKILL/)
  })

  it('says that its session was ended on the server, and leaves nothing', async () => {
    const staging = rejectsWith('TARGET_UNREACHABLE', bench.stage(long, live))
    await server.sql(null, `KILL CONNECTION ${await bench.untilLoading(ROWS)}`).catch(() => {})
    await within(10_000, staging)
  })

  it('says that the server was killed, in bounded time, and the next one leaves nothing', async () => {
    const operationId = bench.dumps.newOperationId()
    const patience = { tidyWithinMs: 500 }
    const staging = rejectsWith('TARGET_UNREACHABLE', bench.stage(long, live, { operationId, patience }))
    await bench.untilLoading(ROWS)
    await server.kill()
    await within(10_000, staging)
    await server.resume()
    assert.deepEqual(await bench.own(), [ownName('new', operationId)])
    await bench.stage(short, live, { operationId })
    await bench.dropOwn()
  })

  it('tidies up after a server that comes back soon', async () => {
    const patience = { tidyWithinMs: 20_000 }
    const staging = rejectsWith('TARGET_UNREACHABLE', bench.stage(long, live, { patience }))
    await bench.untilLoading(ROWS)
    await server.kill()
    await server.resume()
    await within(20_000, staging)
  })

  it('gives up a connection that is cut, in bounded time', async () => {
    const proxy = await startProxy(server.port)
    try {
      const url = new URL(live)
      url.port = String(proxy.port)
      url.searchParams.set('connect_timeout', '2')
      const operationId = bench.dumps.newOperationId()
      const patience = { tidyWithinMs: 500, silentForMs: 1_000 }
      const staging = rejectsWith(
        'TARGET_UNREACHABLE',
        bench.stage(long, url.href, { operationId, patience }),
      )
      await bench.untilLoading(ROWS)
      proxy.stall()
      await within(15_000, staging)
      await bench.stage(short, live, { operationId })
      await bench.dropOwn()
    } finally {
      await proxy.close()
    }
  })

  it('leaves what the next attempt replaces when its process is killed, and no client that goes on', async () => {
    const operationId = bench.dumps.newOperationId()
    const scratchDir = await bench.dumps.makeDirectory('killed')
    const options = { keepOwners: true, definer: null }
    const request = { operationId, dump: describeDump(long), options, scratchDir }
    const program = fileURLToPath(new URL('../testing/stage-process.ts', import.meta.url))
    const worker = fork(program, [], { serialization: 'advanced', execArgv: [] })
    const gone = once(worker, 'exit')
    worker.send({ url: live, file: long.file, request } satisfies StageTask)
    await bench.untilLoading(ROWS)
    worker.kill('SIGKILL')
    await gone
    assert.deepEqual(await bench.own(), [ownName('new', operationId)])
    const shadow = await bench.stage(short, live, { operationId })
    assert.equal((await server.sql(shadow, 'SELECT * FROM t')).length, 1)
    await bench.dropOwn()
  })

  it('keeps the password out of the command line, and its file for itself', async () => {
    const cancel = new AbortController()
    const staging = rejectsWith('CANCELLED', bench.stage(long, live, { signal: cancel.signal }))
    await bench.untilLoading(ROWS)
    const [pid = 0] = await clients()
    const args = await argumentsOf(pid)
    const file =
      args.find((arg) => arg.startsWith('--defaults-file='))?.slice('--defaults-file='.length) ?? ''
    assert.ok(!args.join(' ').includes(server.administrator.password))
    assert.ok((await readFile(file, 'utf8')).includes(server.administrator.password))
    cancel.abort()
    await staging
    await assert.rejects(readFile(file))
  })
})
