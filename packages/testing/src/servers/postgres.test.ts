import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { waitUntilGone } from '../processes.ts'
import { makeTemporaryDirectory } from '../temporary-directory.ts'
import type { PostgresServer } from './postgres.ts'
import { startPostgres } from './postgres.ts'
import { findPostgresPrograms, findProgramsIn } from './postgres-programs.ts'

describe('a private PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: 20 } })
  })
  afterAll(() => server.stop())

  it('takes the settings that it is given', async () => {
    assert.deepEqual(await server.sql('postgres', 'SHOW max_connections'), [{ max_connections: '20' }])
  })

  it('makes databases and roles of any name', async () => {
    const name = `-Fc "dbname"='x' ü/?#`
    const role = await server.createRole({ name, password: `p@:/#%'" \\`, attributes: 'CREATEDB' })
    await server.createDatabase(name, `TEMPLATE template0 OWNER ${pg.escapeIdentifier(name)}`)
    const where = { host: '127.0.0.1', port: server.port, database: name }
    const client = new pg.Client({ ...where, user: role.name, password: role.password })
    await client.connect()
    const { rows } = await client.query('SELECT current_database() AS db, current_user AS role')
    await client.end()
    assert.deepEqual(rows, [{ db: name, role: name }])
  })

  it('listens on a socket', async () => {
    const { name: user, password } = server.superuser
    const client = new pg.Client({
      host: server.directory,
      port: server.port,
      user,
      password,
      database: 'postgres',
    })
    await client.connect()
    await client.end()
  })

  it('holds the locks of a session until they are released', async () => {
    await server.sql('postgres', 'CREATE TABLE held ()')
    const held = await server.hold('postgres', 'LOCK TABLE held')
    const waiting = server.sql('postgres', `SET lock_timeout = '100ms'; SELECT FROM held`)
    await assert.rejects(waiting, { code: '55P03' })
    await held.release()
    await server.sql('postgres', 'SELECT FROM held')
  })

  it('releases a session that the server has ended', async () => {
    const held = await server.hold('postgres', 'SELECT 1')
    await server.sql('postgres', 'SELECT pg_terminate_backend($1, 5000)', [held.pid])
    await held.release()
  })

  it.each(['halt', 'kill'] as const)('keeps its data after a %s', async (end) => {
    await server.sql('postgres', `CREATE TABLE ${end} AS SELECT 1 AS a`)
    const pids = await server.processes()
    assert.ok(pids.length > 3)
    await server[end]()
    assert.deepEqual(await waitUntilGone(pids), [])
    await assert.rejects(server.sql('postgres', 'SELECT 1'), { code: 'ECONNREFUSED' })
    await server.resume()
    assert.deepEqual(await server.sql('postgres', `SELECT a FROM ${end}`), [{ a: 1 }])
  })

  it('neither answers nor refuses while it is frozen, and goes on afterwards', async () => {
    await server.freeze()
    const asked = server.sql('postgres', 'SELECT 1 AS a')
    assert.equal(await Promise.race([asked, delay(300, 'silence')]), 'silence')
    await server.thaw()
    assert.deepEqual(await asked, [{ a: 1 }])
  })
})

describe('a private PostgreSQL with TLS', () => {
  it('proves its name, and knows roles by their certificates', async () => {
    const hba = ['hostssl all certified all cert', 'hostnossl all certified all reject']
    const server = await startPostgres({ tlsHosts: ['localhost', '127.0.0.1'], hba })
    try {
      assert.ok(server.tls)
      await server.createRole({ name: 'certified' })
      const { certificate, key } = await server.tls.clientOf('certified')
      const url = new URL(server.urlOf('postgres', { name: 'certified', password: '' }))
      url.searchParams.set('sslmode', 'verify-full')
      url.searchParams.set('sslrootcert', server.tls.rootCertificate)
      url.searchParams.set('sslcert', certificate)
      url.searchParams.set('sslkey', key)
      const client = new pg.Client({ connectionString: url.href })
      await client.connect()
      await client.end()
      const plainly = new pg.Client({
        connectionString: server.urlOf('postgres', { name: 'certified', password: 'x' }),
      })
      await assert.rejects(plainly.connect(), { code: '28000' })
    } finally {
      await server.stop()
    }
  })
})

describe('a private PostgreSQL that is frozen', () => {
  it('leaves nothing when it is stopped', async () => {
    const server = await startPostgres()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    const ended = once(client, 'error')
    const pids = await server.processes()
    await server.freeze()
    await server.stop()
    await ended
    assert.deepEqual(await waitUntilGone(pids), [])
    assert.ok(!existsSync(server.directory))
  })

  it('says why it cannot start, and leaves nothing', async () => {
    const directory = await makeTemporaryDirectory('postgres')
    // servers do not run as root
    await chmod(directory.path, 0o711)
    const { TMPDIR } = process.env
    process.env.TMPDIR = directory.path
    try {
      await assert.rejects(startPostgres({ settings: { max_connections: 'many' } }), /max_connections/)
      assert.deepEqual(await readdir(directory.path), [])
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
      await directory.remove()
    }
  })
})

describe('the programs of PostgreSQL', () => {
  it('are named with the command that installs them where they are missing', async () => {
    const { postgres } = await findPostgresPrograms()
    assert.deepEqual(Object.keys(await findProgramsIn(['/nowhere', dirname(postgres)])), [
      'initdb',
      'postgres',
      'psql',
      'pg_dump',
      'pg_restore',
    ])
    const missing = findProgramsIn(['/nowhere', import.meta.dirname])
    await assert.rejects(missing, /initdb.*pg_restore.*npm run setup -- --tests.*apt-get install postgresql/)
  })
})
