import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresRole, PostgresServer } from '@holdfast/testing'
import { makeTemporaryDirectory, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeRoot } from '../client-server/testing/make-root.ts'
import { runTool } from './testing/run-tool.ts'
import { reasonOf, SessionBench } from './testing/session-bench.ts'

const bench = new SessionBench()
let server: PostgresServer
let plainServer: PostgresServer
let tls: NonNullable<PostgresServer['tls']>
let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
let otherRoot: string
const roles = new Map<string, PostgresRole>()

beforeAll(async () => {
  place = await makeTemporaryDirectory('tls')
  const hba = [
    'hostnossl all encrypted all reject',
    'hostssl all clear all reject',
    'hostssl all certified all cert',
  ]
  server = await startPostgres({ tlsHosts: ['localhost'], hba })
  plainServer = await startPostgres()
  if (server.tls === null) throw new Error('the server has no TLS')
  tls = server.tls
  for (const name of ['encrypted', 'clear', 'certified']) roles.set(name, await server.createRole({ name }))
  otherRoot = await makeRoot(place.path)
})
afterEach(() => bench.closeAll())
afterAll(async () => {
  await Promise.all([server.stop(), plainServer.stop(), place.remove()])
})

interface Way {
  readonly sslmode: string
  /** `right`, `wrong`, or none. */
  readonly root?: 'right' | 'wrong'
  readonly host?: 'localhost' | '127.0.0.1'
  readonly role?: string
  readonly on?: 'plain'
}

function urlOf({ sslmode, root, host = 'localhost', role, on }: Way): string {
  const { port, superuser } = on === 'plain' ? plainServer : server
  const { name, password } = (role === undefined ? undefined : roles.get(role)) ?? superuser
  const file = root === undefined ? '' : `&sslrootcert=${root === 'right' ? tls.rootCertificate : otherRoot}`
  return `postgres://${name}:${password}@${host}:${port}/postgres?sslmode=${sslmode}${file}`
}

const USES_TLS = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

async function sessionIsEncrypted(url: string): Promise<boolean> {
  const [row] = await (await bench.open(url)).query<{ readonly ssl: boolean }>(USES_TLS)
  return row?.ssl ?? false
}

describe('a session and a tool', () => {
  it.each<[string, Way]>([
    ['disable', { sslmode: 'disable' }],
    ['allow', { sslmode: 'allow' }],
    ['prefer, without TLS on the server', { sslmode: 'prefer', on: 'plain' }],
    ['allow, without TLS on the server', { sslmode: 'allow', on: 'plain' }],
    ['prefer, where only plain connections are let in', { sslmode: 'prefer', role: 'clear' }],
    ['prefer, with an authority that has not signed', { sslmode: 'prefer', root: 'wrong' }],
  ])('are not encrypted with %s', async (_, way) => {
    expect(await sessionIsEncrypted(urlOf(way))).toBe(false)
    expect((await runTool(server.programs.psql, urlOf(way), ['-XAtc', USES_TLS])).stdout).toBe('f\n')
  })

  it.each<[string, Way]>([
    ['prefer', { sslmode: 'prefer' }],
    ['prefer, with the right authority', { sslmode: 'prefer', root: 'right' }],
    ['allow, where only TLS is let in', { sslmode: 'allow', role: 'encrypted' }],
    ['require', { sslmode: 'require' }],
    ['require, by address', { sslmode: 'require', host: '127.0.0.1' }],
    ['verify-ca', { sslmode: 'verify-ca', root: 'right' }],
    [
      'verify-ca, by an address that is not in the certificate',
      { sslmode: 'verify-ca', root: 'right', host: '127.0.0.1' },
    ],
    ['verify-full', { sslmode: 'verify-full', root: 'right' }],
  ])('are encrypted with %s', async (_, way) => {
    expect(await sessionIsEncrypted(urlOf(way))).toBe(true)
    expect((await runTool(server.programs.psql, urlOf(way), ['-XAtc', USES_TLS])).stdout).toBe('t\n')
  })

  it.each<[string, Way, RegExp]>([
    [
      'disable, where only TLS is let in',
      { sslmode: 'disable', role: 'encrypted' },
      /^DATABASE_ACCESS_DENIED/,
    ],
    [
      'require, where only plain connections are let in',
      { sslmode: 'require', role: 'clear' },
      /^DATABASE_ACCESS_DENIED/,
    ],
    ['require, without TLS on the server', { sslmode: 'require', on: 'plain' }, /offers no TLS/],
    [
      'require, with an authority that has not signed',
      { sslmode: 'require', root: 'wrong' },
      /not signed by/,
    ],
    [
      'verify-ca, with an authority that has not signed',
      { sslmode: 'verify-ca', root: 'wrong' },
      /not signed by/,
    ],
    [
      'verify-full, with an authority that has not signed',
      { sslmode: 'verify-full', root: 'wrong' },
      /not signed by/,
    ],
    [
      'verify-full, for another host',
      { sslmode: 'verify-full', root: 'right', host: '127.0.0.1' },
      /not for the URL's host/,
    ],
    [
      'verify-full, without TLS on the server',
      { sslmode: 'verify-full', root: 'right', on: 'plain' },
      /offers no TLS/,
    ],
  ])('are refused with %s', async (_, way, reason) => {
    expect(await reasonOf(bench.open(urlOf(way)))).toMatch(reason)
    const { code, stdout, stderrTail } = await runTool(server.programs.pg_dump, urlOf(way), ['--schema-only'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderrTail).toMatch(/^pg_dump: error: connection to server/)
  })

  it('are let in by a certificate', async () => {
    const { certificate, key } = await tls.clientOf('certified')
    const files = `sslrootcert=${tls.rootCertificate}&sslcert=${certificate}&sslkey=${key}`
    const url = `postgres://certified@localhost:${server.port}/postgres?sslmode=verify-full&${files}`
    expect(await sessionIsEncrypted(url)).toBe(true)
    expect((await runTool(server.programs.psql, url, ['-XAtc', USES_TLS])).stdout).toBe('t\n')
  })

  it('are not let in without the certificate that is asked for', async () => {
    const url = urlOf({ sslmode: 'require', role: 'certified' })
    expect(await reasonOf(bench.open(url))).toMatch(/^DATABASE_ACCESS_DENIED/)
    expect((await runTool(server.programs.psql, url, ['-XAtc', USES_TLS])).code).toBe(2)
  })

  it.each(['disable', 'prefer', 'require', 'verify-full'])(
    'use a socket without TLS with %s',
    async (sslmode) => {
      const { superuser, directory, port } = server
      const where = `host=${encodeURIComponent(directory)}&sslrootcert=${tls.rootCertificate}`
      const url = `postgres://${superuser.name}:${superuser.password}@:${port}/postgres?${where}&sslmode=${sslmode}`
      expect(await sessionIsEncrypted(url)).toBe(false)
      expect((await runTool(server.programs.psql, url, ['-XAtc', USES_TLS])).stdout).toBe('f\n')
    },
  )
})

describe('a file that a URL names', () => {
  const withFiles = (files: string) => `${urlOf({ sslmode: 'require' })}&${files}`

  it('is missing: the parameter is named', async () => {
    const missing = join(place.path, 'missing')
    expect(await reasonOf(bench.open(withFiles(`sslrootcert=${missing}`)))).toBe(
      'INVALID_CONNECTION: the file of the parameter sslrootcert cannot be read',
    )
    const { certificate } = await tls.clientOf('x')
    expect(await reasonOf(bench.open(withFiles(`sslcert=${certificate}&sslkey=${missing}`)))).toBe(
      'INVALID_CONNECTION: the file of the parameter sslkey cannot be read',
    )
    expect(await reasonOf(bench.open(withFiles(`sslcert=${place.path}&sslkey=${missing}`)))).toBe(
      'INVALID_CONNECTION: the file of the parameter sslcert cannot be read',
    )
  })

  it('is not what it should be', async () => {
    const text = join(place.path, 'text')
    await writeFile(text, 's3cret', { mode: 0o600 })
    expect(await reasonOf(bench.open(withFiles(`sslcert=${text}&sslkey=${text}`)))).toMatch(
      /^INVALID_CONNECTION: .* no usable PEM file$/,
    )
    expect(await reasonOf(bench.open(withFiles(`sslrootcert=${text}`)))).toMatch(/^(INVALID_CONN|TARGET_UNR)/)
  })

  it('is a key that others may read, which tools refuse too', async () => {
    const { certificate, key } = await tls.clientOf('certified')
    await chmod(key, 0o644)
    const url = withFiles(`sslcert=${certificate}&sslkey=${key}`)
    expect(await reasonOf(bench.open(url))).toBe(
      'INVALID_CONNECTION: the file of the parameter sslkey may be read by others',
    )
    expect((await runTool(server.programs.psql, url, ['-XAtc', USES_TLS])).code).toBe(2)
  })
})
