import { strict as assert } from 'node:assert'
import { AppError } from '@holdfast/core'
import { describe, expect, it } from 'vitest'
import {
  displayPostgresUrl,
  parsePostgresUrl,
  postgresLockKey,
  requireDatabaseName,
  withDatabase,
} from './postgres-url.ts'

const HOSTILE = [
  '-Fc',
  'host=127.0.0.1 port=1',
  'postgres://elsewhere/x',
  'quote\'s and "double"',
  'back\\slash',
  'all of @ : / # % ? & = + [ ] , ;',
  'Größe 数据库 🐘',
  '%41',
  'tab\tand\nnewline',
  ' ',
  '$(id)`id`',
]

function refusalOf(url: string): AppError {
  try {
    parsePostgresUrl(url)
  } catch (error) {
    assert(error instanceof AppError)
    expect(error.code).toBe('INVALID_CONNECTION')
    return error
  }
  throw new Error('it was accepted')
}

describe('parsePostgresUrl', () => {
  it('fills in what a short URL leaves open', () => {
    expect(parsePostgresUrl('postgres://joe@db')).toEqual({
      host: 'db',
      port: 5432,
      user: 'joe',
      password: null,
      database: null,
      sslMode: 'prefer',
      connectTimeoutMs: 10_000,
      lockTimeoutMs: 30_000,
      statementTimeoutMs: 0,
    })
  })

  it('reads everything that a URL can say', () => {
    const files = 'sslrootcert=/etc/ca%20one.pem&sslcert=/etc/c.pem&sslkey=/etc/k.pem'
    const times = 'connect_timeout=3&lock_timeout=400&statement_timeout=5000'
    const url = `postgresql://joe:pw:with:colons@db.example:6432/shop?sslmode=verify-full&${files}&${times}`
    expect(parsePostgresUrl(url)).toEqual({
      host: 'db.example',
      port: 6432,
      user: 'joe',
      password: 'pw:with:colons',
      database: 'shop',
      sslMode: 'verify-full',
      sslRootCert: '/etc/ca one.pem',
      sslCert: '/etc/c.pem',
      sslKey: '/etc/k.pem',
      connectTimeoutMs: 3_000,
      lockTimeoutMs: 400,
      statementTimeoutMs: 5_000,
    })
  })

  it.each(HOSTILE)('keeps %j as the name of a user, a password and a database', (text) => {
    const encoded = encodeURIComponent(text)
    const connection = parsePostgresUrl(`postgres://${encoded}:${encoded}@db/${encoded}`)
    expect(connection).toMatchObject({ user: text, password: text, database: text, host: 'db' })
  })

  it.each([
    ['postgres://u@/db?host=/run/postgresql', '/run/postgresql', 5432],
    ['postgres://u@:6432/db?host=/run/postgresql/', '/run/postgresql', 6432],
    ['postgres://u@%2Frun%2Fpostgresql/db', '/run/postgresql', 5432],
    ['postgres://u@%2Frun%2Fa%20b:6432/db', '/run/a b', 6432],
    ['postgres://u@[::1]/db', '::1', 5432],
    ['postgres://u@[fe80::1%25eth0]:6432/db', 'fe80::1%eth0', 6432],
    ['postgres://u@/db?host=::1', '::1', 5432],
    ['POSTGRES://u@DB.Example/db', 'DB.Example', 5432],
  ])('finds the host in %s', (url, host, port) => {
    expect(parsePostgresUrl(url)).toMatchObject({ host, port, database: 'db' })
  })

  it.each([
    ['no user', 'postgres://db.example/s3cret', /names no user/],
    ['an empty user', 'postgres://:s3cret@db/x', /names no user/],
    ['a password with a raw slash', 'postgres://joe:s3cret/1@db/x', /bad port|not of the form|names no user/],
    ['a password with a raw @', 'postgres://joe:s3cret@1@db/x', /not of the form/],
    ['a password with a raw question mark', 'postgres://joe:s3cret?1@db/x', /bad port|names no user|unknown/],
    ['a password with a raw number sign', 'postgres://joe:s3cret#1@db/x', /not of the form/],
    ['a raw space', 'postgres://joe:s3cret@db/a b', /holds a space/],
    ['a line break at the end', 'postgres://joe:s3cret@db/x\n', /holds a space or a control character/],
    ['a fragment', 'postgres://joe:s3cret@db/x#y', /not of the form/],
    ['a second path', 'postgres://joe:s3cret@db/x/y', /not of the form/],
    ['a bad percent sign in the password', 'postgres://joe:s3cret%zz@db/x', /in its password/],
    ['bytes that are not UTF-8 in the user', 'postgres://joe%ff:s3cret@db/x', /in its user/],
    ['a NUL in the user', 'postgres://joe%00:s3cret@db/x', /NUL in its user/],
    ['a NUL in the password', 'postgres://joe:s3cret%00@db/x', /NUL in its password/],
    ['a NUL in the database', 'postgres://joe:s3cret@db/x%00', /NUL in its database/],
    ['a long database', `postgres://joe:s3cret@db/${'x'.repeat(64)}`, /database is longer than 63/],
    ['a database long in bytes', `postgres://joe:s3cret@db/${'ü'.repeat(32)}`, /database is longer than 63/],
    ['a long user', `postgres://${'x'.repeat(64)}:s3cret@db/x`, /user is longer than 63/],
    ['no host', 'postgres://joe:s3cret@/x', /names no host/],
    ['two hosts', 'postgres://joe:s3cret@a,b/x', /several hosts/],
    ['two encoded hosts', 'postgres://joe:s3cret@a%2Cb/x', /several hosts/],
    ['two hosts with ports', 'postgres://joe:s3cret@a:1,b:2/x', /bad port/],
    ['a host and a socket', 'postgres://joe:s3cret@a/x?host=/run', /names a host twice/],
    ['a host that is a setting', 'postgres://joe:s3cret@a%20port%3D1/x', /bad host/],
    ['an abstract socket', 'postgres://joe:s3cret@/x?host=@abstract', /bad host/],
    ['a relative socket directory', 'postgres://joe:s3cret@/x?host=run/postgresql', /bad host/],
    ['a long socket directory', `postgres://joe:s3cret@/x?host=/${'d'.repeat(100)}`, /too long/],
    ['an IPv6 address without brackets', 'postgres://joe:s3cret@::1/x', /without brackets/],
    ['no address in brackets', 'postgres://joe:s3cret@[x]/x', /bad host/],
    ['port 0', 'postgres://joe:s3cret@a:0/x', /bad port/],
    ['a large port', 'postgres://joe:s3cret@a:65536/x', /bad port/],
    ['a port with a sign', 'postgres://joe:s3cret@a:+1/x', /bad port/],
    ['another scheme', 'mysql://joe:s3cret@a/x', /not of the form/],
    ['an unknown parameter', 'postgres://joe:s3cret@a/x?options=-csearch_path', /unknown parameter options/],
    ['the name of a service', 'postgres://joe:s3cret@a/x?service=other', /unknown parameter service/],
    ['another password', 'postgres://joe@a/x?password=s3cret', /unknown parameter password/],
    ['another address', 'postgres://joe:s3cret@a/x?hostaddr=10.0.0.1', /unknown parameter hostaddr/],
    ['a parameter that is no name', 'postgres://joe@a/x?s3cret!=1', /unknown parameter$/],
    [
      'a parameter given twice',
      'postgres://joe:s3cret@a/x?sslmode=require&sslmode=disable',
      /sslmode .* twice/,
    ],
    ['an empty parameter', 'postgres://joe:s3cret@a/x?sslmode=', /sslmode .* empty/],
    ['a bad sslmode', 'postgres://joe:s3cret@a/x?sslmode=no-verify', /sslmode .* is none of/],
    ['verification by nobody', 'postgres://joe:s3cret@a/x?sslmode=verify-full', /sslmode .* no sslrootcert/],
    ['the system as authority', 'postgres://joe:s3cret@a/x?sslrootcert=system', /sslrootcert .* absolute/],
    ['a certificate without a key', 'postgres://joe:s3cret@a/x?sslcert=/c.pem', /sslcert .* sslkey/],
    ['a key without a certificate', 'postgres://joe:s3cret@a/x?sslkey=/k.pem', /sslcert .* sslkey/],
    ['a time-out of 0', 'postgres://joe:s3cret@a/x?connect_timeout=0', /connect_timeout .* from 1 to 600/],
    ['a lock time-out of 0', 'postgres://joe:s3cret@a/x?lock_timeout=0', /lock_timeout .* from 1 to/],
    [
      'a time-out with a unit',
      'postgres://joe:s3cret@a/x?statement_timeout=5s',
      /statement_timeout .* whole/,
    ],
  ])('refuses %s, naming it and not repeating the URL', (_, url, problem) => {
    const refusal = refusalOf(url)
    expect(refusal.message).toMatch(problem)
    expect(refusal.hint).not.toBeNull()
    expect(`${refusal.message} ${refusal.hint} ${refusal.cause}`).not.toContain('s3cret')
  })
})

describe('displayPostgresUrl', () => {
  it.each([
    ['postgresql://joe:s3cret@DB:5432/shop?sslmode=prefer', 'postgres://joe@DB:5432/shop'],
    [
      'postgres://a%40b:s3cret@[::1]/x%2Fy?lock_timeout=5',
      'postgres://a%40b@[::1]:5432/x%2Fy?lock_timeout=5',
    ],
    ['postgres://joe:s3cret@%2Frun%2Fpg', 'postgres://joe@:5432?host=%2Frun%2Fpg'],
    [
      'postgres://joe:s3cret@a/x?sslrootcert=/ca.pem&sslmode=verify-ca&connect_timeout=5',
      'postgres://joe@a:5432/x?sslmode=verify-ca&sslrootcert=%2Fca.pem&connect_timeout=5',
    ],
  ])('shows %s without its password', (url, shown) => {
    const connection = parsePostgresUrl(url)
    expect(displayPostgresUrl(connection)).toBe(shown)
    expect(parsePostgresUrl(shown)).toEqual({ ...connection, password: null })
  })
})

describe('postgresLockKey', () => {
  it('is one for all spellings of a place', () => {
    const hosts = ['localhost', 'LOCALHOST:5432', '127.0.0.1', '[::1]:5432']
    const keys = hosts.map((host) => postgresLockKey(parsePostgresUrl(`postgres://u@${host}/shop`)))
    expect(new Set(keys)).toEqual(new Set(['postgres:localhost:5432/shop']))
  })

  it.each([
    ['postgres://a:b@DB.Example:6432/Shop%20%2F', 'postgres:db.example:6432/Shop%20%2F'],
    ['postgres://a:b@db', 'postgres:db:5432/'],
    ['postgres://a:b@/x?host=/run/Pg/', 'postgres:/run/Pg:5432/x'],
  ])('of %s is %s', (url, key) => {
    expect(postgresLockKey(parsePostgresUrl(url))).toBe(key)
  })
})

describe('withDatabase', () => {
  it.each(HOSTILE)('puts %j into a URL of a server', (name) => {
    for (const url of ['postgres://u:p@db:1', 'postgres://u:p@db:1/', 'postgres://u:p@db:1/old']) {
      const moved = parsePostgresUrl(withDatabase(`${url}?lock_timeout=7`, name))
      expect(moved).toEqual({ ...parsePostgresUrl(`${url}?lock_timeout=7`), database: name })
    }
  })

  it('keeps a socket', () => {
    const url = withDatabase('postgres://u@?host=/run/pg', '$&')
    expect(parsePostgresUrl(url)).toMatchObject({ host: '/run/pg', database: '$&' })
  })
})

describe('requireDatabaseName', () => {
  it.each(['', 'a\0b', 'x'.repeat(64), '\ud800'])('refuses %j', (name) => {
    expect(() => requireDatabaseName(name)).toThrow(/the name of the database/)
  })
})
