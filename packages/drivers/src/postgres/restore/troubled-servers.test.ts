import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { AppError, ErrorCode } from '@holdfast/core'
import type { HeldSession, PostgresServer } from '@holdfast/testing'
import { allow, descendantsOf, never, rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { startProxy } from '../../client-server/testing/tcp-proxy.ts'
import type { DumpFile } from '../testing/restore-bench.ts'
import { RestoreBench } from '../testing/restore-bench.ts'

const MOST_CONNECTIONS = 16
/** Far more than patience of two seconds and a time-out of two for a connection should need. */
const BOUND_MS = 25_000

let server: PostgresServer
let bench: RestoreBench
/** One that takes seconds to load, and one that does not. */
let dump: DumpFile
let small: DumpFile
let url: string
let old: string
let restored: string

beforeAll(async () => {
  server = await startPostgres({
    settings: { max_connections: MOST_CONNECTIONS, superuser_reserved_connections: 0 },
  })
  bench = await RestoreBench.make(server)
  dump = await bench.dump(await bench.slow())
  const source = await bench.seeded(2)
  small = await bench.dump(source)
  restored = await bench.digest(source)
  url = `${await bench.seeded(1)}?connect_timeout=2`
  old = await bench.digest(url)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  for (let left = 50; left > 0 && (await bench.sessions()).length > 0; left -= 1) await delay(100)
  assert.deepEqual(await bench.sessions(), [])
  assert.deepEqual(await programs(), [])
  assert.equal(await bench.digest(url), old)
})

/** Programs of PostgreSQL that this process has started and that still run. */
async function programs(): Promise<readonly number[]> {
  const found: number[] = []
  for (const pid of await descendantsOf(process.pid)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (/(?:^|\0|\/)(?:pg_restore|psql)\0/.test(command)) found.push(pid)
  }
  return found
}

/** Something happens while data is loaded: the restore fails in bounded time, and works when it is asked again. */
async function failsAndWorksAgain(
  code: ErrorCode,
  cause: () => Promise<unknown>,
  cure: () => Promise<unknown> = async () => {},
  asked = url,
): Promise<AppError> {
  const operationId = bench.newOperationId()
  const staging = bench.stage(dump, asked, { operationId })
  staging.catch(() => {})
  await bench.untilLoading()
  await cause()
  const begun = performance.now()
  const error = await rejectsWith(code, staging)
  assert.ok(performance.now() - begun < BOUND_MS, 'it took too long')
  await cure()
  await bench.restore(url).discardStaged(operationId)
  assert.deepEqual(await bench.own(), [])
  assert.equal(await bench.digest(url), old)
  return error
}

describe('a restore into a server in trouble', () => {
  it('fails when the server is shut down at once, and leaves nothing when it is back soon', async () => {
    const error = await failsAndWorksAgain('TARGET_UNREACHABLE', async () => {
      await server.halt()
      await server.resume()
    })
    assert.ok(error.retryable)
  })

  it('fails when all of the server is killed, and needs no help when it is back', async () => {
    await failsAndWorksAgain(
      'TARGET_UNREACHABLE',
      () => server.kill(),
      () => server.resume(),
    )
  })

  it('gives up a server that does not answer', async () => {
    await failsAndWorksAgain(
      'TARGET_UNREACHABLE',
      () => server.freeze(),
      () => server.thaw(),
    )
  })

  it('gives up when the network is cut without a word', async () => {
    const proxy = await startProxy(server.port)
    try {
      await failsAndWorksAgain(
        'TARGET_UNREACHABLE',
        async () => proxy.stall(),
        () => proxy.close(),
        url.replace(`:${server.port}/`, `:${proxy.port}/`),
      )
    } finally {
      await proxy.close().catch(() => {})
    }
  })

  it('fails when its session is ended on the server', async () => {
    await failsAndWorksAgain('TARGET_UNREACHABLE', () =>
      server.sql(
        'postgres',
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'holdfast_new%'`,
      ),
    )
  })

  it('fails when its tool is killed', async () => {
    const error = await failsAndWorksAgain('TOOL_FAILED', async () => {
      for (const pid of await programs()) process.kill(pid, 'SIGKILL')
    })
    assert.match(error.message, /SIGKILL/)
  })

  it('fails when the server has no connection left', async () => {
    const held: HeldSession[] = []
    const fill = async () => {
      for (;;) held.push(await server.hold('postgres', 'SELECT 1'))
    }
    try {
      await fill().catch(() => {})
      const error = await rejectsWith('TARGET_UNREACHABLE', bench.stage(dump, url))
      assert.match(error.message, /no connection left/)
      // enough for those of ours that come first, but not for all
      for (const session of held.splice(0, 2)) await session.release()
      await rejectsWith('TARGET_UNREACHABLE', bench.stage(dump, url))
    } finally {
      for (const session of held) await session.release()
    }
    assert.deepEqual(await bench.own(), [])
  })

  it('leaves nothing when it is cancelled while it loads', async () => {
    const cancel = new AbortController()
    const staging = bench.stage(dump, url, {}, cancel.signal)
    staging.catch(() => {})
    await bench.untilLoading()
    cancel.abort()
    await rejectsWith('CANCELLED', staging)
    assert.deepEqual(await bench.own(), [])
  })

  it('tells how far it is, in bytes and objects', async () => {
    const seen: [number, number | undefined, number | undefined][] = []
    const onProgress = (progress: { bytes: number; objects?: number; totalObjects?: number }) =>
      seen.push([progress.bytes, progress.objects, progress.totalObjects])
    const operationId = bench.newOperationId()
    await bench.stage(dump, url, { operationId, onProgress })
    await bench.restore(url).discardStaged(operationId)
    const [bytes, objects, total] = seen.at(-1) ?? []
    assert.equal(bytes, dump.description.sizeBytes)
    assert.ok(total !== undefined && total > 5)
    assert.equal(objects, total)
    assert.deepEqual(
      seen.map(([at]) => at),
      seen.map(([at]) => at).toSorted((one, other) => one - other),
    )
    assert.ok(seen.some(([, count]) => count !== undefined && count > 0 && count < total))
  })

  it('changes nothing when the server dies before the commit of a swap', async () => {
    const ticket = await bench.stage(small, url)
    let isBack = Promise.resolve()
    const killAndResume = () => {
      isBack = server.kill().then(() => server.resume())
      return isBack
    }
    await rejectsWith('TARGET_UNREACHABLE', bench.restore(url).swap(ticket, killAndResume, never))
    await isBack
    assert.equal(await bench.digest(url), old)
    const { replaced } = await bench.restore(url).swap(ticket, allow, never)
    assert.ok(replaced)
    assert.equal(await bench.digest(url), restored)
    await rejectsWith('TARGET_UNREACHABLE', bench.restore(url).undo(replaced.ticket, killAndResume, never))
    await isBack
    assert.equal(await bench.digest(url), restored)
    await bench.restore(url).undo(replaced.ticket, allow, never)
  })

  it('knows that a swap has happened whose commit was never answered', async () => {
    const proxy = await startProxy(server.port)
    const asked = url.replace(`:${server.port}/`, `:${proxy.port}/`)
    const ticket = await bench.stage(small, asked)
    // the server reads the commit when it goes on, and nobody hears its answer
    const freeze = async () => {
      await server.freeze()
      setTimeout(() => void proxy.close().then(() => server.thaw()), 500)
    }
    const swapping = bench.restore(asked).swap(ticket, freeze, never)
    swapping.catch(() => {})
    await delay(1_500)
    const healed = await startProxy(server.port, proxy.port)
    try {
      const { replaced } = await swapping
      assert.ok(replaced)
      assert.equal(await bench.digest(url), restored)
      await bench.restore(asked).undo(replaced.ticket, allow, never)
    } finally {
      await healed.close()
    }
  })

  it('finds out what became of a swap when the network is away in its commit', async () => {
    const proxy = await startProxy(server.port)
    const asked = url.replace(`:${server.port}/`, `:${proxy.port}/`)
    const ticket = await bench.stage(small, asked)
    const cut = async () => {
      proxy.stall()
      setTimeout(() => void proxy.close(), 500)
    }
    const swapping = bench.restore(asked).swap(ticket, cut, never)
    swapping.catch(() => {})
    await delay(2_000)
    const healed = await startProxy(server.port, proxy.port)
    try {
      await rejectsWith('TARGET_UNREACHABLE', swapping)
      assert.equal(await bench.digest(url), old)
      const { replaced } = await bench.restore(asked).swap(ticket, allow, never)
      assert.ok(replaced)
      await bench.restore(asked).undo(replaced.ticket, allow, never)
    } finally {
      await healed.close()
    }
  })
})
