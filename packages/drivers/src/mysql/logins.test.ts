import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ToolFailure } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { makeTemporaryDirectory, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { reasonOf } from '../client-server/testing/waiting.ts'
import { failureOfTool } from './failure.ts'
import { MARIADB, MYSQL } from './flavours.ts'
import { parseMysqlUrl } from './mysql-url.ts'
import { writeOptionFile } from './option-file.ts'
import { runClient } from './testing/run-client.ts'
import { SessionBench } from './testing/session-bench.ts'

let server: MariadbServer
let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
const bench = new SessionBench()

beforeAll(async () => {
  place = await makeTemporaryDirectory('logins')
  server = await startMariadb()
})
afterAll(async () => {
  await Promise.all([server.stop(), place.remove()])
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await bench.closeAll()
})

const PASSWORDS = [
  ...["'", '"', '\\', '#', '# no comment', ';', '=', ' led', 'trailed ', '\t', '`', '$HOME', '$(id)', '%41'],
  ...[
    '\\n',
    '\\s',
    '\\\\"',
    '"quoted"',
    "'quoted'",
    '"',
    'a\'b"c\\d#e f',
    '[client]',
    '!include /etc/x',
    '@:/?#',
  ],
  ...['ü', '数', '🐘', '\u00a0', '\u0001', '-p', '--', '', 'x'.repeat(1_024), '\\'.repeat(512)],
]

describe('a password', () => {
  it.each(PASSWORDS)('%j reaches the server, by a session and by both programs', async (password) => {
    const account = await server.createAccount({ password, grants: ['SELECT ON mysql.*'] })
    const url = server.urlOf('mysql', account)
    expect(await (await bench.open(url)).query('SELECT 1 AS ok')).toEqual([{ ok: 1 }])
    const client = await runClient(server.programs.client, url, ['-N', '-e', 'SELECT USER()'])
    expect([client.stdout, client.stderrTail]).toEqual([`${account.name}@127.0.0.1\n`, ''])
    const dump = await runClient(server.programs.dump, url, ['--skip-lock-tables', '--', 'mysql', 'func'])
    expect([dump.code, dump.stderrTail]).toEqual([0, ''])
  })

  it.each(['a\nb', 'a\rb', 'a\0b', 'x'.repeat(1_025)])('%j is refused', (password) => {
    const url = `mysql://u:${encodeURIComponent(password)}@h/d`
    expect(() => parseMysqlUrl(url)).toThrow(/^the MySQL URL (holds a|has a password)/)
  })

  it('that is wrong is told, by a session and by a program', async () => {
    const { name } = await server.createAccount()
    const url = server.urlOf('mysql', { name, password: 'canary-of-nobody' })
    expect(await reasonOf(bench.open(url))).toBe(
      'DATABASE_ACCESS_DENIED: the MySQL server did not accept user and password',
    )
    const { stdout: _, ...exit } = await runClient(server.programs.dump, url, ['--', 'mysql'])
    const failure = failureOfTool(new ToolFailure(exit), 'mariadb-dump')
    expect(failure.code).toBe('DATABASE_ACCESS_DENIED')
    expect(`${failure.message} ${failure.cause}`).not.toContain('canary')
  })
})

describe('a login', () => {
  it('asks for no option file of the machine, and for no login path', async () => {
    const home = join(place.path, 'home')
    const files = ['.my.cnf', '.mylogin.cnf']
    await mkdir(home)
    for (const file of files) await writeFile(join(home, file), '[client]\nhost=nowhere\nno-such-option=1\n')
    for (const name of ['HOME', 'MYSQL_HOME', 'MARIADB_HOME']) vi.stubEnv(name, home)
    for (const name of ['MYSQL_PWD', 'MYSQL_HOST', 'MYSQL_TCP_PORT']) vi.stubEnv(name, '1')
    const { password: _, ...account } = await server.createAccount({ password: '' })
    const url = server.urlOf('mysql', { ...account, password: '' })
    const run = await runClient(server.programs.client, url, ['-N', '-e', 'SELECT 1'])
    expect([run.stdout, run.stderrTail]).toEqual(['1\n', ''])
  })

  it('goes through a socket for a program too', async () => {
    const { name, password } = server.administrator
    const url = `mysql://${name}:${password}@/?socket=${server.socket}`
    const run = await runClient(server.programs.client, url, ['-N', '-e', 'SELECT USER()'])
    expect(run.stdout).toBe(`${name}@localhost\n`)
  })

  it('without a password where a socket knows the user', async () => {
    await server.sql(null, "INSTALL SONAME 'auth_socket'").catch(() => {})
    const user = process.getuid?.() === 0 ? 'root' : (process.env.USER ?? 'root')
    await server.sql(null, `CREATE USER '${user}'@localhost IDENTIFIED VIA unix_socket`)
    const url = `mysql://${user}@/?socket=${server.socket}`
    expect(await (await bench.open(url)).query('SELECT 1 AS ok')).toEqual([{ ok: 1 }])
    expect((await runClient(server.programs.client, url, ['-N', '-e', 'SELECT 1'])).stdout).toBe('1\n')
  })

  it('lies in a file of its own that only its user can read, until it is removed', async () => {
    const login = await writeOptionFile(parseMysqlUrl('mysql://u:canary@h:1/d'), place.path, MYSQL)
    const file = login.argument.replace('--defaults-file=', '')
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600')
    await login.remove()
    await login.remove()
    expect((await readdir(place.path)).filter((name) => name.endsWith('.cnf'))).toEqual([])
  })

  it('holds no line that a program would take for two', async () => {
    const path = `/${'x'.repeat(4_050)}`
    const url = `mysql://u@h/d?sslmode=verify-ca&sslrootcert=${path}`
    expect(await reasonOf(writeOptionFile(parseMysqlUrl(url), place.path, MYSQL))).toMatch(
      /^INVALID_CONNECTION/,
    )
  })

  it.each([
    ['disable', /skip-ssl\n/, /ssl-mode=DISABLED\n/],
    ['prefer', /\nssl\n/, /ssl-mode=PREFERRED\n/],
    ['require', /\nssl\n/, /ssl-mode=REQUIRED\n/],
    ['verify-ca&sslrootcert=/r.pem', /ssl-ca="\/r.pem"\nssl\n/, /ssl-ca="\/r.pem"\nssl-mode=VERIFY_CA\n/],
    ['verify-full&sslrootcert=/r.pem', /\nssl-verify-server-cert\n/, /ssl-mode=VERIFY_IDENTITY\n/],
  ])('says sslmode=%s in the words of both flavours', async (mode, ofMariadb, ofMysql) => {
    for (const [flavour, expected] of [
      [MARIADB, ofMariadb],
      [MYSQL, ofMysql],
    ] as const) {
      const login = await writeOptionFile(parseMysqlUrl(`mysql://u@h/d?sslmode=${mode}`), place.path, flavour)
      expect(await readFile(login.argument.replace('--defaults-file=', ''), 'utf8')).toMatch(expected)
      await login.remove()
    }
  })
})
