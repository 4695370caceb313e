import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MariadbServer } from '@holdfast/testing'
import { makeTemporaryDirectory, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeRoot } from '../client-server/testing/make-root.ts'
import { reasonOf } from '../client-server/testing/waiting.ts'
import { runClient } from './testing/run-client.ts'
import { SessionBench } from './testing/session-bench.ts'

const bench = new SessionBench()
let server: MariadbServer
let plainServer: MariadbServer
let tls: NonNullable<MariadbServer['tls']>
let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
let otherRoot: string

beforeAll(async () => {
  place = await makeTemporaryDirectory('mysql-tls')
  server = await startMariadb({ tlsHosts: ['localhost'] })
  plainServer = await startMariadb()
  if (server.tls === null) throw new Error('the server has no TLS')
  tls = server.tls
  otherRoot = await makeRoot(place.path)
  await server.sql(null, "CREATE USER certified IDENTIFIED BY 'x' REQUIRE SUBJECT '/CN=certified'")
  await server.sql(null, "CREATE USER encrypted IDENTIFIED BY 'x' REQUIRE SSL")
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
  readonly user?: string
  readonly on?: 'plain'
}

function urlOf({ sslmode, root, host = 'localhost', user, on }: Way): string {
  const { port, administrator } = on === 'plain' ? plainServer : server
  const login = user === undefined ? `${administrator.name}:${administrator.password}` : `${user}:x`
  const file = root === undefined ? '' : `&sslrootcert=${root === 'right' ? tls.rootCertificate : otherRoot}`
  return `mysql://${login}@${host}:${port}/?sslmode=${sslmode}${file}`
}

const CIPHER = ['-N', '-e', "SHOW SESSION STATUS LIKE 'Ssl_cipher'"]

async function cipherOf(url: string): Promise<{ readonly session: boolean; readonly program: boolean }> {
  const session = await bench.open(url)
  const [row] = await session.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
  expect(session.encrypted).toBe(row?.Value !== '')
  const run = await runClient(server.programs.client, url, CIPHER)
  expect(run.stderrTail).toBe('')
  return { session: session.encrypted, program: run.stdout.trim() !== 'Ssl_cipher' }
}

describe('a session and a program', () => {
  it.each<[string, Way]>([
    ['disable', { sslmode: 'disable' }],
    ['prefer, without TLS on the server', { sslmode: 'prefer', on: 'plain' }],
  ])('are not encrypted with %s', async (_, way) => {
    expect(await cipherOf(urlOf(way))).toEqual({ session: false, program: false })
  })

  it.each<[string, Way]>([
    ['prefer', { sslmode: 'prefer' }],
    ['prefer, for an account that demands it', { sslmode: 'prefer', user: 'encrypted' }],
    ['require', { sslmode: 'require' }],
    ['require, with the authority', { sslmode: 'require', root: 'right' }],
    ['verify-ca', { sslmode: 'verify-ca', root: 'right' }],
    ['verify-ca, under another name', { sslmode: 'verify-ca', root: 'right', host: '127.0.0.1' }],
    ['verify-full', { sslmode: 'verify-full', root: 'right' }],
  ])('are encrypted with %s', async (_, way) => {
    expect(await cipherOf(urlOf(way))).toEqual({ session: true, program: true })
  })

  it.each<[string, Way, RegExp, RegExp]>([
    [
      'require, without TLS on the server',
      { sslmode: 'require', on: 'plain' },
      /offers no TLS/,
      // MariaDB's program before 11.4 cannot demand it: the session before it does
      /^$/,
    ],
    [
      'require, with another authority',
      { sslmode: 'require', root: 'wrong' },
      /not signed by/,
      /certificate/,
    ],
    [
      'verify-ca, with another authority',
      { sslmode: 'verify-ca', root: 'wrong' },
      /not signed/,
      /certificate/,
    ],
    [
      'verify-full, under another name',
      { sslmode: 'verify-full', root: 'right', host: '127.0.0.1' },
      /not for the URL's host/,
      /TLS|SSL/,
    ],
    ['verify-full, on the plain', { sslmode: 'verify-full', root: 'right', on: 'plain' }, /no TLS/, /SSL/],
  ])('refuse %s', async (_, way, ofSession, ofProgram) => {
    const url = urlOf(way)
    expect(await reasonOf(bench.open(url))).toMatch(/^TARGET_UNREACHABLE/)
    expect(await reasonOf(bench.open(url))).toMatch(ofSession)
    expect((await runClient(server.programs.client, url, CIPHER)).stderrTail).toMatch(ofProgram)
  })

  it('show the certificate of a client', async () => {
    const { certificate, key } = await tls.clientOf('certified')
    const files = `&sslcert=${certificate}&sslkey=${key}`
    const url = `${urlOf({ sslmode: 'require', user: 'certified' })}${files}`
    expect(await cipherOf(url)).toEqual({ session: true, program: true })
    const without = urlOf({ sslmode: 'require', user: 'certified' })
    expect(await reasonOf(bench.open(without))).toMatch(/^DATABASE_ACCESS_DENIED/)
  })
})

describe('files of TLS', () => {
  it.each([
    ['is not there', 'sslrootcert', '/nowhere/root.crt', /sslrootcert cannot be read/],
    ['is no certificate', 'sslrootcert', 'garbage', /no usable PEM file|not signed|agree on no TLS/],
  ])('are refused when one %s', async (_, parameter, file, reason) => {
    const path = file.startsWith('/') ? file : join(place.path, file)
    if (path !== file) await writeFile(path, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const url = `${urlOf({ sslmode: 'verify-ca' })}&${parameter}=${path}`
    expect(await reasonOf(bench.open(url))).toMatch(reason)
  })

  it('are refused when others may read the key', async () => {
    const { certificate, key } = await tls.clientOf('open')
    await chmod(key, 0o644)
    const url = `${urlOf({ sslmode: 'require' })}&sslcert=${certificate}&sslkey=${key}`
    expect(await reasonOf(bench.open(url))).toMatch(/INVALID_CONNECTION: .*sslkey may be read by others/)
  })
})
