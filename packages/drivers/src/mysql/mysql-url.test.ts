import { throwsWith } from '@holdfast/testing'
import { describe, expect, it } from 'vitest'
import { displayMysqlUrl, mysqlLockKey, parseMysqlUrl, withDatabase } from './mysql-url.ts'
import { isOwnName, operationOf, ownName } from './own-names.ts'

const OPERATION = '01890a5d-ac96-774b-bcce-b302099a8057'
const NAMES = [
  '-x',
  '--help',
  'a`b',
  '$(touch x)',
  'a/b',
  '../x',
  'q\'u"o\\te',
  'Ünï 数',
  'a.b',
  '?',
  ' x',
  '%41',
]

describe('parseMysqlUrl', () => {
  it.each(['mysql', 'mariadb', 'MySQL'])('reads all parts of a URL of %s', (scheme) => {
    const query =
      'sslmode=verify-full&sslrootcert=/r&sslcert=/c&sslkey=/k&connect_timeout=3&lock_timeout=5&brief_lock=on'
    expect(parseMysqlUrl(`${scheme}://jo%40e:p%3A%2F%23%25@db.example:3307/sh%2Fop?${query}`)).toEqual({
      ...{ host: 'db.example', port: 3307, socket: null, user: 'jo@e', password: 'p:/#%', database: 'sh/op' },
      ...{ sslMode: 'verify-full', sslRootCert: '/r', sslCert: '/c', sslKey: '/k' },
      ...{ connectTimeoutMs: 3_000, lockTimeoutMs: 5, briefLock: true },
    })
  })

  it('has a default for all that may be left out', () => {
    expect(parseMysqlUrl('mysql://joe@db')).toEqual({
      ...{ host: 'db', port: 3306, socket: null, user: 'joe', password: null, database: null },
      ...{ sslMode: 'prefer', connectTimeoutMs: 10_000, lockTimeoutMs: 30_000, briefLock: false },
    })
  })

  it.each(['mysql://joe@/shop', 'mysql://joe@localhost/shop'])(
    'takes a socket in place of a host: %s',
    (url) => {
      const connection = parseMysqlUrl(`${url}?socket=/run/mysqld/mysqld.sock`)
      expect([connection.host, connection.socket]).toEqual(['localhost', '/run/mysqld/mysqld.sock'])
    },
  )

  it.each(NAMES)('keeps the name %j as it is, in every form', (name) => {
    const url = withDatabase('mysql://joe:x@[::1]:3306/other?connect_timeout=5', name)
    const connection = parseMysqlUrl(url)
    expect([connection.database, connection.host, connection.connectTimeoutMs]).toEqual([name, '::1', 5_000])
    expect(parseMysqlUrl(displayMysqlUrl(connection))).toEqual({ ...connection, password: null })
  })

  it.each([
    ['another scheme', 'postgres://joe:canary@db/x', /not of the form/],
    ['no user', 'mysql://db/canary', /names no user/],
    ['no host', 'mysql://joe:canary@/x', /names no host/],
    ['two hosts', 'mysql://joe:canary@a,b/x', /several hosts/],
    ['a host and a socket', 'mysql://joe:canary@db/x?socket=/s', /a host and a socket/],
    ['a bad port', 'mysql://joe:canary@db:0/x', /bad port/],
    ['a raw slash in the password', 'mysql://joe:canary/1@db/x', /bad port|not of the form|names no user/],
    ['a raw question mark in the password', 'mysql://joe:canary?1@db/x', /bad port|names no user|unknown/],
    ['a bad encoding', 'mysql://joe:canary%FF@db/x', /does not encode UTF-8/],
    ['a line break in the password', 'mysql://joe:canary%0Ax@db/x', /line break/],
    ['a control character in the user', 'mysql://jo%01e:canary@db/x', /control character in its user/],
    ['an unknown parameter', 'mysql://joe:canary@db/x?ssl=1', /unknown parameter ssl$/],
    ['a parameter of another shape', 'mysql://joe:canary@db/x?Canary!=1', /unknown parameter$/],
    ['a parameter given twice', 'mysql://joe:canary@db/x?sslmode=require&sslmode=disable', /twice/],
    ['a mode that there is not', 'mysql://joe:canary@db/x?sslmode=allow', /none of disable, prefer, require/],
    ['a mode without its authority', 'mysql://joe:canary@db/x?sslmode=verify-ca', /there is no sslrootcert/],
    ['a certificate without its key', 'mysql://joe:canary@db/x?sslcert=/c', /needs sslkey/],
    ['a relative path', 'mysql://joe:canary@db/x?socket=s', /not an absolute path/],
    ['a long socket', `mysql://joe:canary@/x?socket=/${'s'.repeat(107)}`, /longer than 107 bytes/],
    ['a lock that is neither on nor off', 'mysql://joe:canary@db/x?brief_lock=yes', /none of on, off/],
    ['no time at all', 'mysql://joe:canary@db/x?connect_timeout=0', /from 1 to 600/],
    ['a name with a space at its end', 'mysql://joe:canary@db/x%20', /ends with a space/],
    ['a name of four-byte characters', 'mysql://joe:canary@db/%F0%9F%90%98', /four bytes/],
    ['a name of a directory', 'mysql://joe:canary@db/%23MySQL50%23..', /#mysql50#/],
    ['a name of 65 characters', `mysql://joe:canary@db/${'x'.repeat(65)}`, /longer than 64/],
    ['a NUL', 'mysql://joe:canary@db/a%00', /NUL/],
  ])('refuses %s, and repeats no secret', (_, url, reason) => {
    const error = throwsWith('INVALID_CONNECTION', () => parseMysqlUrl(url))
    expect(error.message).toMatch(reason)
    expect(`${error.message} ${error.hint} ${error.cause}`).not.toMatch(/canary/i)
  })

  it('takes 64 characters for a name, however many bytes they are', () => {
    expect(parseMysqlUrl(`mysql://joe@db/${encodeURIComponent('数'.repeat(64))}`).database).toHaveLength(64)
  })
})

describe('displayMysqlUrl', () => {
  it.each([
    ['mariadb://joe:secret@DB:3306/shop', 'mysql://joe@DB:3306/shop'],
    ['mysql://joe@db?sslmode=prefer&brief_lock=off&lock_timeout=30000', 'mysql://joe@db:3306'],
    ['mysql://joe@/x?socket=/run/s&brief_lock=on', 'mysql://joe@/x?socket=%2Frun%2Fs&brief_lock=on'],
  ])('shows %s without secrets and without defaults', (url, shown) => {
    expect(displayMysqlUrl(parseMysqlUrl(url))).toBe(shown)
  })
})

describe('mysqlLockKey', () => {
  it('is one for all spellings of one place', () => {
    const urls = [
      'mysql://a:b@127.0.0.1/x',
      'mariadb://c@localhost:3306/x?sslmode=require',
      'mysql://d@[::1]/x',
    ]
    expect([...new Set(urls.map((url) => mysqlLockKey(parseMysqlUrl(url))))]).toEqual([
      'mysql:localhost:3306/x',
    ])
    expect(mysqlLockKey(parseMysqlUrl('mysql://a@/x?socket=/run/s'))).toBe('mysql:/run/s/x')
    expect(mysqlLockKey(parseMysqlUrl('mysql://a@db'))).toBe('mysql:db:3306/')
  })
})

describe('names of our own', () => {
  it.each(['new', 'old', 'drill', 'undone'] as const)('tell of %s which operation it was', (kind) => {
    const name = ownName(kind, OPERATION)
    expect(name).toMatch(new RegExp(`^holdfast_${kind}_[0-9a-f]{32}$`))
    expect([isOwnName(name), operationOf(name)]).toEqual([true, OPERATION])
  })

  it.each(['holdfast_new', 'holdfast_new_x', `HOLDFAST_NEW_${'a'.repeat(32)}`, 'shop', ''])(
    'are not taken for %j',
    (name) => {
      expect([isOwnName(name), operationOf(name)]).toEqual([false, null])
    },
  )
})
