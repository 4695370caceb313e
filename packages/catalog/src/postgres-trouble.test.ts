import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Catalog } from '@holdfast/core'
import { systemClock } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import { openCatalog } from './open-catalog.ts'

const BUSY_MS = 400
/** What a loaded machine may add. */
const SLACK_MS = 10_000

describe('a PostgreSQL catalog in trouble', () => {
  let server: PostgresServer
  let url: string
  let catalog: Catalog

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    url = await server.createDatabase()
    catalog = await openCatalog({ url, clock: systemClock, busyTimeoutMs: BUSY_MS })
  })
  afterEach(() => catalog.close())

  const addKey = (name: string) => catalog.keys.add({ name, role: 'viewer', sha256: name })

  it('is unavailable while its server is stopped, and recovers by itself', async () => {
    await addKey('before')
    await server.halt()
    const startedMs = performance.now()
    const calls = Array.from({ length: 20 }, (_, index) => addKey(`lost-${index}`))
    await Promise.all([...calls, catalog.ping()].map((call) => rejectsWith('CATALOG_UNAVAILABLE', call)))
    await rejectsWith('CATALOG_UNAVAILABLE', openCatalog({ url, clock: systemClock }))
    assert.ok(performance.now() - startedMs < SLACK_MS)
    await server.resume()
    await addKey('after')
    assert.deepEqual(
      (await catalog.keys.list()).map(({ name }) => name),
      ['before', 'after'],
    )
  })

  it('survives the end of all its connections, idle and busy', async () => {
    const admin = await client()
    await admin.query('begin')
    await admin.query('lock table api_keys in access exclusive mode')
    const waiting = rejectsWith('CATALOG_UNAVAILABLE', addKey('lost'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()')
    await waiting
    await admin.query('rollback')
    await admin.end()
    await addKey('after')
    assert.equal((await catalog.keys.list()).length, 1)
  })

  it('gives up in bounded time when somebody else keeps a lock', async () => {
    await catalog.knowStorage('default', 'one')
    const other = await client()
    await other.query('begin')
    await other.query('lock table audit in access exclusive mode')
    const startedMs = performance.now()
    const entry = { actor: 'a', action: 'b', subject: 'c', requestId: null, outcome: 'd' }
    await rejectsWith('CATALOG_UNAVAILABLE', catalog.audit.add(entry))
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= BUSY_MS && tookMs < BUSY_MS + SLACK_MS, `took ${tookMs} ms`)
    await other.query('rollback')
    await other.end()
    await catalog.audit.add(entry)
  })

  it('says that it cannot log in, without the password', async () => {
    const wrong = new URL(url)
    wrong.password = 'canary'
    const error = await rejectsWith(
      'CATALOG_UNAVAILABLE',
      openCatalog({ url: wrong.href, clock: systemClock }),
    )
    assert.match(error.message, /login/)
    assert.ok(
      !JSON.stringify([error.message, error.hint, String(error.cause), error.stack]).includes('canary'),
    )
    wrong.password = ''
    await rejectsWith('CATALOG_UNAVAILABLE', openCatalog({ url: wrong.href, clock: systemClock }))
  })

  it('says that its database does not exist', async () => {
    const wrong = new URL(url)
    wrong.pathname = '/nowhere'
    const error = await rejectsWith(
      'CATALOG_UNAVAILABLE',
      openCatalog({ url: wrong.href, clock: systemClock }),
    )
    assert.match(error.message, /does not exist/)
  })

  it('does not talk in clear to a server that it was told to use TLS with', async () => {
    const secure = `${url}?sslmode=require`
    await rejectsWith('CATALOG_UNAVAILABLE', openCatalog({ url: secure, clock: systemClock }))
  })

  it('refuses a text that it cannot store', async () => {
    await rejectsWith('INVALID_REQUEST', addKey('nul\0'))
  })

  it('gives up in bounded time on a network that has gone silent, and recovers by itself', async () => {
    const proxy = await startProxy(server.port)
    const through = new URL(url)
    through.port = String(proxy.port)
    const far = await openCatalog({ url: through.href, clock: systemClock, busyTimeoutMs: BUSY_MS })
    proxy.freeze()
    const startedMs = performance.now()
    await rejectsWith('CATALOG_UNAVAILABLE', far.ping())
    assert.ok(performance.now() - startedMs < 6400 + SLACK_MS)
    proxy.thaw()
    await far.ping()
    await far.close()
    await proxy.stop()
  })

  async function client(): Promise<pg.Client> {
    const made = new pg.Client(url)
    await made.connect()
    return made
  }
})

/** A way to the server that can go silent without closing, as networks do. */
async function startProxy(to: number) {
  const sockets = new Set<Socket>()
  let isFrozen = false
  const listener = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      if (isFrozen) socket.pause()
    }
    near.on('data', (data) => void (isFrozen || far.write(data)))
    far.on('data', (data) => void (isFrozen || near.write(data)))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  // a TCP server that listens has an address of this form
  const { port } = listener.address() as AddressInfo
  return {
    port,
    freeze: () => {
      isFrozen = true
    },
    thaw: () => {
      isFrozen = false
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}
