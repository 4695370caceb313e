import { AppError } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { parsePostgresUrl } from './postgres-url.ts'
import { openSession } from './session.ts'
import { listenSilently, reasonOf, SessionBench } from './testing/session-bench.ts'

let server: PostgresServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())
afterEach(async () => {
  vi.unstubAllEnvs()
  await bench.closeAll()
})

describe('openSession', () => {
  it('opens the database, and says who it is', async () => {
    const session = await bench.open(server.url)
    const [row] = await session.query<{ pid: number; version: string; name: string }>(
      `SELECT pg_backend_pid() AS pid, current_setting('server_version_num') AS version,
              current_setting('application_name') AS name`,
    )
    expect(row).toEqual({ pid: session.pid, version: `${session.serverVersion}`, name: 'tests' })
    expect(session.lost.aborted).toBe(false)
  })

  it.each(['-Fc', 'host=127.0.0.1 port=1', `q'u"o\\te`, 'Ünï 数 🐘', 'postgres://x@127.0.0.1:1/y', '%s;--'])(
    'opens the database %j with a role and a password of that name',
    async (name) => {
      await server.createDatabase(name)
      const role = await server.createRole({ name, password: name })
      const session = await bench.open(server.urlOf(name, role), { database: name })
      const [row] = await session.query('SELECT current_database() AS database, current_user AS role')
      expect(row).toEqual({ database: name, role: name })
    },
  )

  it.each(['LATIN1', 'SQL_ASCII', 'EUC_JP'])(
    'opens a database in %s whose name is in UTF-8',
    async (encoding) => {
      const name = `größe ${encoding}`
      await server.createDatabase(name, `TEMPLATE template0 ENCODING '${encoding}'`)
      await bench.open(server.urlOf(name), { database: name })
    },
  )

  it('opens a socket in a directory', async () => {
    const { user, password } = parsePostgresUrl(server.url)
    const host = encodeURIComponent(server.directory)
    const session = await bench.open(`postgres://${user}:${password}@:${server.port}/postgres?host=${host}`)
    expect(await session.query('SELECT inet_server_addr() AS address')).toEqual([{ address: null }])
  })

  it('pins what a role or a database has set', async () => {
    const name = await makeDatabase()
    const settings = {
      search_path: 'evil',
      statement_timeout: '1',
      idle_in_transaction_session_timeout: '1',
      row_security: 'on',
      extra_float_digits: '-5',
      DateStyle: 'German',
      IntervalStyle: 'iso_8601',
      TimeZone: 'Asia/Tokyo',
      bytea_output: 'escape',
      default_transaction_read_only: 'on',
      default_transaction_isolation: 'serializable',
    }
    const sets = Object.entries(settings).map(
      ([key, value]) => `ALTER DATABASE ${name} SET ${key} TO '${value}';`,
    )
    await server.sql('postgres', sets.join('\n'))
    const session = await bench.open(server.urlOf(name))
    const keys = [
      ...Object.keys(settings),
      'lock_timeout',
      'tcp_keepalives_idle',
      'tcp_keepalives_interval',
      'tcp_keepalives_count',
      'client_connection_check_interval',
      'client_encoding',
    ]
    const rows = await session.query<{ key: string; value: string }>(
      'SELECT key, current_setting(key) AS value FROM unnest($1::text[]) AS key',
      [keys],
    )
    expect(Object.fromEntries(rows.map(({ key, value }) => [key, value]))).toEqual({
      search_path: '',
      statement_timeout: '0',
      idle_in_transaction_session_timeout: '0',
      row_security: 'off',
      extra_float_digits: '3',
      DateStyle: 'ISO, YMD',
      IntervalStyle: 'postgres',
      TimeZone: 'UTC',
      bytea_output: 'hex',
      default_transaction_read_only: 'off',
      default_transaction_isolation: 'read committed',
      lock_timeout: '30s',
      tcp_keepalives_idle: '10',
      tcp_keepalives_interval: '5',
      tcp_keepalives_count: '4',
      client_connection_check_interval: '5s',
      client_encoding: 'UTF8',
    })
  })

  it('is not misled by functions and operators in the search path of a role', async () => {
    const name = await makeDatabase()
    await server.sql(
      name,
      `CREATE SCHEMA evil;
       CREATE FUNCTION evil.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT -1';
       CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
       CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE sql AS $$ SELECT 'other'::name $$;
       ALTER DATABASE ${name} SET search_path TO evil, pg_catalog`,
    )
    expect((await bench.open(server.urlOf(name))).pid).toBeGreaterThan(0)
  })

  it('takes nothing from our environment', async () => {
    const trap = await listenSilently()
    const hostile = {
      PGHOST: '127.0.0.1',
      PGHOSTADDR: '127.0.0.1',
      PGPORT: `${trap.port}`,
      PGUSER: 'somebody',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'template1',
      PGOPTIONS: '-c search_path=evil',
      PGSERVICE: 'elsewhere',
      PGPASSFILE: '/dev/null',
      PGSSLMODE: 'verify-full',
      PGAPPNAME: 'somebody',
      PGREPLICATION: 'database',
      PGCLIENT_ENCODING: 'LATIN1',
      PGSSLNEGOTIATION: 'direct',
    }
    for (const [name, value] of Object.entries(hostile)) vi.stubEnv(name, value)
    const session = await bench.open(server.url)
    const [row] = await session.query(
      `SELECT current_user AS role, current_database() AS database, current_setting('application_name') AS name`,
    )
    expect(row).toEqual({ role: server.superuser.name, database: 'postgres', name: 'tests' })
    const withoutPassword = server.url.replace(/:[^:@]*@/, '@')
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.open(withoutPassword))
    expect(trap.connections()).toBe(0)
    await trap.close()
  })

  it('names what is wrong with user, password and database', async () => {
    const wrong = parsePostgresUrl(server.url)
    const options = { database: 'postgres', applicationName: 'tests', signal: new AbortController().signal }
    expect(await reasonOf(openSession({ ...wrong, password: 's3cret' }, options))).toMatch(
      /^DATABASE_ACCESS_DENIED: .*password/,
    )
    expect(await reasonOf(openSession({ ...wrong, password: null }, options))).toMatch(
      /^DATABASE_ACCESS_DENIED: .*URL has none/,
    )
    await rejectsWith('DATABASE_NOT_FOUND', bench.open(server.urlOf('nope')))
    const closed = await makeDatabase()
    await server.sql('postgres', `ALTER DATABASE ${closed} ALLOW_CONNECTIONS false`)
    expect(await reasonOf(bench.open(server.urlOf(closed)))).toMatch(
      /^DATABASE_ACCESS_DENIED: .*accepts no connections/,
    )
  })

  it('says which way there is none', async () => {
    const { port } = server
    const refused = await listenSilently()
    await refused.close()
    const at = (place: string) => bench.open(`postgres://u:p@${place}/x?connect_timeout=1`)
    expect(await reasonOf(at(`127.0.0.1:${refused.port}`))).toMatch(/^TARGET_UNREACHABLE: .*nothing listens/)
    expect(await reasonOf(at('nothing.invalid'))).toMatch(/^TARGET_UNREACHABLE: .*(not known|looked up)/)
    const socket = `postgres://u:p@:${port}/x?host=/no/such/directory`
    expect(await reasonOf(bench.open(socket))).toMatch(/^TARGET_UNREACHABLE: .*no socket/)
  })

  it('does not wait for a server that does not answer', async () => {
    const silent = await listenSilently()
    const started = Date.now()
    const url = `postgres://u:p@127.0.0.1:${silent.port}/x?connect_timeout=1`
    expect(await reasonOf(bench.open(url))).toMatch(/^TARGET_UNREACHABLE: .*did not answer in time/)
    expect(Date.now() - started).toBeLessThan(2_500)
    await silent.close()
  })

  it('reports a server without a free connection as one that may have it later', async () => {
    const role = await server.createRole({ attributes: 'CONNECTION LIMIT 1' })
    await bench.open(server.urlOf('postgres', role))
    const failure = await rejectsWith('TARGET_UNREACHABLE', bench.open(server.urlOf('postgres', role)))
    expect(failure.retryable).toBe(true)
    expect(failure.message).toMatch(/no connection left/)
  })

  it('is cancelled at once, whatever it waits for', async () => {
    const silent = await listenSilently()
    const controller = new AbortController()
    const url = `postgres://u:p@127.0.0.1:${silent.port}/x`
    const opening = bench.open(url, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    const started = Date.now()
    await rejectsWith('CANCELLED', opening)
    expect(Date.now() - started).toBeLessThan(500)
    await rejectsWith('CANCELLED', bench.open(server.url, { signal: controller.signal }))
    const reason = new AppError('TARGET_BUSY', 'because')
    await rejectsWith('TARGET_BUSY', bench.open(server.url, { signal: AbortSignal.abort(reason) }))
    await silent.close()
  })
})

async function makeDatabase(): Promise<string> {
  return parsePostgresUrl(await server.createDatabase()).database ?? ''
}
