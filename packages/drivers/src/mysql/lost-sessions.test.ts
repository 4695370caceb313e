import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listenSilently, reasonOf, waitUntil } from '../client-server/testing/waiting.ts'
import { parseMysqlUrl } from './mysql-url.ts'
import { SessionBench } from './testing/session-bench.ts'
import { whileServerAnswers } from './watch-server.ts'

const PATIENCE = { askEveryMs: 50, silentForMs: 400, tidyWithinMs: 1_000, parallel: 1 }

let server: MariadbServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startMariadb()
})
afterAll(() => server.stop())
afterEach(() => bench.closeAll())

describe('opening a session', () => {
  it.each([
    ['an unknown database', '/nowhere', 'DATABASE_NOT_FOUND: MySQL has no database of that name'],
    ['a server where there is none', ':1/x', 'TARGET_UNREACHABLE: nothing listens at the address'],
    ['a host that nobody knows', 'host', 'TARGET_UNREACHABLE: the host of the MySQL server'],
    ['a socket that is not there', 'socket', 'TARGET_UNREACHABLE: there is no socket of a MySQL server'],
  ])('of %s says so', async (_, where, reason) => {
    const { name, password } = server.administrator
    const login = `mysql://${name}:${password}@`
    const urls: Readonly<Record<string, string>> = {
      '/nowhere': server.urlOf('nowhere'),
      ':1/x': `${login}127.0.0.1:1/x`,
      host: `${login}no-such-host.invalid/x`,
      socket: `${login}/x?socket=${server.socket}-not`,
    }
    expect(await reasonOf(bench.open(urls[where] ?? ''))).toContain(reason)
  })

  it('of a database that the user may not use says so', async () => {
    await server.createDatabase('closed')
    const account = await server.createAccount()
    expect(await reasonOf(bench.open(server.urlOf('closed', account)))).toMatch(/^DATABASE_ACCESS_DENIED/)
  })

  it('where an account has no connection left says so, and may be tried again', async () => {
    const account = await server.createAccount()
    await server.sql(null, `ALTER USER '${account.name}' WITH MAX_USER_CONNECTIONS 1`)
    await bench.open(server.urlOf(null, account))
    const error = await rejectsWith('TARGET_UNREACHABLE', bench.open(server.urlOf(null, account)))
    expect([error.message, error.retryable]).toEqual([
      'the MySQL server has no connection left for the user',
      true,
    ])
  })

  it('does not wait for a server that does not answer, and leaves no connection', async () => {
    const silent = await listenSilently()
    const opening = bench.open(`mysql://u:p@127.0.0.1:${silent.port}/x?connect_timeout=1`)
    expect(await reasonOf(opening)).toBe('TARGET_UNREACHABLE: the MySQL server did not answer in time')
    await silent.close()
  })

  it('ends at once when it is cancelled', async () => {
    const silent = await listenSilently()
    const stop = new AbortController()
    const opening = reasonOf(bench.open(`mysql://u:p@127.0.0.1:${silent.port}/x`, { signal: stop.signal }))
    await waitUntil(async () => silent.connections() > 0)
    stop.abort()
    expect(await opening).toBe('CANCELLED: cancelled')
    await silent.close()
  })

  it.each(['SSH-2.0-OpenSSH_9.2\r\n', 'HTTP/1.1 400 Bad Request\r\n\r\n', '\0\0\0\0'])(
    'of what is no MySQL server, but says %j, fails',
    async (greeting) => {
      const other = createServer((socket) => socket.on('error', () => {}).end(greeting))
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const address = other.address()
      const port = typeof address === 'object' ? address?.port : 0
      const opening = bench.open(`mysql://u:p@127.0.0.1:${port}/x?connect_timeout=1`)
      expect(await reasonOf(opening)).toMatch(/^TARGET_UNREACHABLE/)
      other.close()
    },
  )
})

describe('a session', () => {
  it.each([
    ['waits', false],
    ['works', true],
  ])('that %s is lost when it is killed', async (_, works) => {
    const session = await bench.open(server.url)
    const work = works ? reasonOf(session.query('SELECT SLEEP(30)')) : null
    if (works) await sleep(50)
    await server.sql(null, `KILL CONNECTION ${session.id}`)
    await waitUntil(async () => session.lost.aborted)
    expect((await work) ?? 'TARGET_UNREACHABLE').toMatch(/^TARGET_UNREACHABLE/)
    expect(await reasonOf(session.query('SELECT 1'))).toMatch(/^TARGET_UNREACHABLE/)
    await session.close()
  })

  it('whose statement alone is killed goes on', async () => {
    const session = await bench.open(server.urlOf('mysql'))
    const work = reasonOf(session.query('SELECT MAX(SHA2(seq, 256)) FROM seq_1_to_1000000000'))
    await sleep(50)
    await server.sql(null, `KILL QUERY ${session.id}`)
    expect(await work).toBe('TOOL_FAILED: an administrator of the MySQL server ended the statement')
    expect(await session.query('SELECT 1 AS ok')).toEqual([{ ok: 1 }])
  })

  it('gives up a server that has stopped, and closes in bounded time', async () => {
    const session = await bench.open(server.url)
    await server.freeze()
    try {
      const started = performance.now()
      const asked = session.query('SELECT 1', [], { withinMs: 200 })
      expect(await reasonOf(asked)).toBe('TARGET_UNREACHABLE: the MySQL server did not answer in time')
      await session.close()
      expect(performance.now() - started).toBeLessThan(1_500)
      expect(session.lost.aborted).toBe(true)
    } finally {
      await server.thaw()
    }
  })

  it('is over when it is cancelled while the server has stopped', async () => {
    const stop = new AbortController()
    const session = await bench.open(server.url, { signal: stop.signal })
    await server.freeze()
    try {
      const asked = reasonOf(session.query('SELECT 1'))
      stop.abort(new AppError('CANCELLED', 'enough'))
      expect(await asked).toBe('CANCELLED: enough')
      const started = performance.now()
      await session.close()
      expect(performance.now() - started).toBeLessThan(2_500)
    } finally {
      await server.thaw()
    }
  })
})

describe('whileServerAnswers', () => {
  const watch = <Result>(work: (signal: AbortSignal) => Promise<Result>, signal = never()) =>
    whileServerAnswers({ connection: parseMysqlUrl(server.url), patience: PATIENCE }, signal, work)

  it('gives back what came of the work, and leaves no session', async () => {
    expect(await watch(async () => await sleep(200, 'done'))).toBe('done')
    const [row] = await server.sql(null, 'SELECT COUNT(*) AS n FROM information_schema.processlist')
    expect(Number(row?.n)).toBe(1)
  })

  it('ends the work when the server has not answered for too long', async () => {
    await server.freeze()
    try {
      const work = watch((signal) => sleep(20_000, null, { signal }))
      expect(await reasonOf(work)).toBe('TARGET_UNREACHABLE: the MySQL server has not answered for 0 s')
    } finally {
      await server.thaw()
    }
  })

  it('takes a refusal for an answer', async () => {
    const connection = parseMysqlUrl(server.urlOf(null, { name: 'nobody', password: 'x' }))
    const work = whileServerAnswers({ connection, patience: PATIENCE }, never(), () => sleep(700, 'done'))
    expect(await work).toBe('done')
  })
})

describe('a server that is shut down', () => {
  it('is missed by those who wait and those who work', async () => {
    const [waits, works] = [await bench.open(server.url), await bench.open(server.url)]
    const work = reasonOf(works.query('SELECT SLEEP(30)'))
    await server.halt()
    expect(await work).toMatch(/^TARGET_UNREACHABLE/)
    await waitUntil(async () => waits.lost.aborted)
    await server.resume()
    await bench.open(server.url)
  })

  it('is missed when all of it is killed', async () => {
    const session = await bench.open(server.url)
    await server.kill()
    await waitUntil(async () => session.lost.aborted)
    expect(await reasonOf(bench.open(server.url))).toMatch(/^TARGET_UNREACHABLE/)
    await server.resume()
  })
})

function never(): AbortSignal {
  return new AbortController().signal
}
