import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { conninfoOf, toolEnvironment } from './conninfo.ts'
import { parsePostgresUrl } from './postgres-url.ts'
import { runTool } from './testing/run-tool.ts'
import { listenSilently, waitUntil } from './testing/session-bench.ts'

const HOSTILE = [
  '-Fc',
  '--version',
  'host=127.0.0.1 port=1',
  "' host=127.0.0.1 port=1 x='",
  'postgres://127.0.0.1:1/x',
  `q'u"o\\te\\'`,
  'trailing backslash\\',
  'Ünï 数 🐘',
  ' spaces ',
  'line\nbreak\ttab',
  '$(id) `id` %s ;',
  '@ : / # % ?',
]

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

describe('a tool', () => {
  it.each(HOSTILE)('reaches the database %j as a role with that name and password', async (name) => {
    await server.createDatabase(name)
    const role = await server.createRole({ name, password: name })
    const query = 'SELECT current_database(), current_user'
    const { stdout } = await runTool(server.programs.psql, server.urlOf(name, role), [
      '-XAt',
      '-0',
      '-c',
      query,
    ])
    expect(stdout).toBe(`${name}|${name}\0`)
  })

  it('dumps the database whose name is an option, not another one', async () => {
    await server.createDatabase('-Fp')
    await server.sql('-Fp', 'CREATE TABLE here (id int)')
    const { stdout } = await runTool(server.programs.pg_dump, server.urlOf('-Fp'), ['--schema-only'])
    expect(stdout).toContain('CREATE TABLE public.here')
  })

  it('goes over a socket', async () => {
    const { name, password } = server.superuser
    const url = `postgres://${name}:${password}@:${server.port}/postgres?host=${encodeURIComponent(server.directory)}`
    const { stdout } = await runTool(server.programs.psql, url, [
      '-XAtc',
      'SELECT inet_server_addr() IS NULL',
    ])
    expect(stdout).toBe('t\n')
  })

  it('takes nothing from our environment, and takes no password anywhere else', async () => {
    const trap = await listenSilently()
    const name = `host=127.0.0.1 port=${trap.port}`
    await server.createDatabase(name)
    const place = {
      PGHOST: '127.0.0.1',
      PGHOSTADDR: '127.0.0.1',
      PGPORT: `${trap.port}`,
      PGSERVICE: 'elsewhere',
    }
    const other = {
      PGUSER: 'x',
      PGPASSWORD: 'x',
      PGDATABASE: 'x',
      PGOPTIONS: '-c x.y=1',
      PGSSLMODE: 'verify-full',
    }
    for (const [key, value] of Object.entries({ ...place, ...other })) vi.stubEnv(key, value)
    try {
      const url = server.urlOf(name)
      const { stdout } = await runTool(server.programs.psql, url, ['-XAtc', 'SELECT current_database()'])
      expect(stdout).toBe(`${name}\n`)
      const withoutPassword = url.replace(/:[^:@]*@/, '@')
      const { stderrTail } = await runTool(server.programs.pg_dump, withoutPassword, [])
      expect(stderrTail).toMatch(/^pg_dump: error: .*no password supplied\n$/)
      expect(trap.connections()).toBe(0)
    } finally {
      vi.unstubAllEnvs()
      await trap.close()
    }
  })

  it('shows its password to no list of processes', async () => {
    const { password } = parsePostgresUrl(server.url)
    const running = runTool(server.programs.psql, server.url, ['-XAtc', 'SELECT pg_sleep(0.3)'])
    let list = ''
    await waitUntil(async () => {
      list = (await promisify(execFile)('ps', ['-A', '-ww', '-o', 'args'])).stdout
      return list.includes('SELECT pg_sleep(0.3)')
    })
    expect(list).not.toContain(password)
    await running
  })

  it('waits for locks no longer than the URL says, and for nothing else that a role has set', async () => {
    const role = await server.createRole()
    await server.sql(
      'postgres',
      `ALTER ROLE ${role.name} SET statement_timeout = 1; ALTER ROLE ${role.name} SET lock_timeout = 1`,
    )
    const url = `${server.urlOf('postgres', role)}?lock_timeout=1234`
    const query = `SELECT current_setting('statement_timeout'), current_setting('lock_timeout')`
    expect((await runTool(server.programs.psql, url, ['-XAtc', query])).stdout).toBe('0|1234ms\n')
  })

  it('keeps the encoding of the database', async () => {
    const url = await server.createDatabase(undefined, `TEMPLATE template0 ENCODING 'LATIN1'`)
    expect((await runTool(server.programs.psql, url, ['-XAtc', 'SHOW client_encoding'])).stdout).toBe(
      'LATIN1\n',
    )
    const { stdout } = await runTool(server.programs.pg_dump, url, [])
    expect(stdout).toContain(`SET client_encoding = 'LATIN1'`)
  })
})

describe('conninfoOf', () => {
  const connection = parsePostgresUrl('postgres://joe:s3cret@db.example:6432/shop')

  it('has every value in quotes and no password', () => {
    const text = conninfoOf(connection, "it's \\", 'tag')
    expect(text).toContain(
      `host='db.example' port='6432' user='joe' dbname='it\\'s \\\\' application_name='tag'`,
    )
    expect(text.replace(/\w+='(?:[^'\\]|\\.)*'/g, '').trim()).toBe('')
    expect(text).not.toContain('s3cret')
  })

  it('probes silent connections and leaves Kerberos alone', () => {
    const text = conninfoOf(connection, 'shop', 'tag')
    for (const part of ["keepalives='1'", "gssencmode='disable'", "connect_timeout='10'"]) {
      expect(text).toContain(part)
    }
  })

  it('lets a server take as long for a row as it needs', () => {
    expect(conninfoOf(connection, 'shop', 'tag')).not.toContain('tcp_user_timeout')
  })

  it('looks for no certificate where the URL names none', () => {
    const text = conninfoOf(connection, 'shop', 'tag')
    for (const name of ['sslrootcert', 'sslcert', 'sslkey', 'passfile'])
      expect(text).toContain(`${name}='/dev/null/none'`)
  })
})

describe('toolEnvironment', () => {
  it('lets the server notice that a tool is gone', async () => {
    const { stdout } = await runTool(server.programs.psql, server.url, ['-XAtc', 'SHOW tcp_keepalives_idle'])
    expect(stdout).toBe('10\n')
  })

  it('has the password, or none at all', () => {
    const url = 'postgres://joe:p%27w@db/x'
    expect(toolEnvironment(parsePostgresUrl(url)).PGPASSWORD).toBe("p'w")
    expect(toolEnvironment(parsePostgresUrl('postgres://joe@db/x'))).not.toHaveProperty('PGPASSWORD')
  })
})
