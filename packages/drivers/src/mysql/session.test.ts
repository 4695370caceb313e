import { AppError } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { reasonOf, waitUntil } from '../client-server/testing/waiting.ts'
import { ServerRefusal } from './failure.ts'
import { listDatabases } from './list-databases.ts'
import { parseMysqlUrl } from './mysql-url.ts'
import { ownName } from './own-names.ts'
import { quoteText } from './quote.ts'
import { endSessions, endSessionsOf, lockOf } from './tag.ts'
import { SessionBench } from './testing/session-bench.ts'

const OPERATION = '01890a5d-ac96-774b-bcce-b302099a8057'
/** Anything that a server or an operator may have set to change what statements mean. */
const HOSTILE = {
  'sql-mode': 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,IGNORE_SPACE,PAD_CHAR_TO_FULL_LENGTH',
  'character-set-server': 'latin1',
  'default-time-zone': '+09:00',
  autocommit: 0,
  'transaction-isolation': 'READ-UNCOMMITTED',
  'max-statement-time': 1,
  'wait-timeout': 2,
  'net-write-timeout': 1,
  'idle-transaction-timeout': 1,
  'group-concat-max-len': 4,
  'local-infile': 1,
  'lock-wait-timeout': 1,
}
const TEXTS = [
  '',
  "'",
  '"',
  '\\',
  "\\'",
  '`',
  '?',
  '%',
  '\0',
  '\n',
  '\u001a',
  'ü',
  '数',
  '🐘',
  ' x ',
  '--',
  '/*',
]
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
  '%s',
  ' x',
  '?',
]

let server: MariadbServer
const bench = new SessionBench()

beforeAll(async () => {
  server = await startMariadb({ settings: HOSTILE })
  // not at its start: the harness waits for a line of its log in English
  await server.sql(null, "SET GLOBAL lc_messages = 'de_DE'")
})
afterAll(() => server.stop())
afterEach(() => bench.closeAll())

describe('a session', () => {
  it('says who it is', async () => {
    const session = await bench.open(server.url)
    const [row] = await session.query<{ id: number | string; version: string }>(
      'SELECT CONNECTION_ID() AS id, VERSION() AS version',
    )
    expect(Number(row?.id)).toBe(session.id)
    expect(row?.version).toBe(session.server.versionText)
    expect(session.server.flavour.name).toBe('MariaDB')
    expect([session.encrypted, session.lost.aborted]).toEqual([false, false])
  })

  it.each(NAMES)('opens the schema %j, and the account of that name', async (name) => {
    await server.createDatabase(name)
    const user = `'${name.replaceAll("'", "''")}'`
    await server.sql(null, `CREATE USER ${user} IDENTIFIED BY ${user}`)
    await server.sql(null, `GRANT ALL ON *.* TO ${user}`)
    const session = await bench.open(server.urlOf(name, { name, password: name }))
    const [row] = await session.query('SELECT DATABASE() AS name, USER() AS user')
    expect(row).toEqual({ name, user: `${name}@127.0.0.1` })
    expect(await listDatabases({ connection: parseMysqlUrl(server.url) }, signal())).toContain(name)
  })

  it('opens a socket', async () => {
    const { name, password } = server.administrator
    const session = await bench.open(`mysql://${name}:${password}@/?socket=${server.socket}`)
    expect(await session.query('SELECT USER() AS user')).toEqual([{ user: `${name}@localhost` }])
  })

  it('pins what the server has set otherwise', async () => {
    const session = await bench.open(`${server.url}?lock_timeout=4500`)
    const [row] = await session.query(
      `SELECT @@sql_mode AS mode, @@character_set_client AS client, @@character_set_results AS results,
              @@time_zone AS zone, @@autocommit AS autocommit, @@tx_isolation AS isolation,
              @@lc_messages AS messages, @@max_statement_time AS time, @@wait_timeout > 86400 AS idle,
              @@idle_transaction_timeout AS transaction, @@net_write_timeout > 3600 AS slow,
              @@lock_wait_timeout AS locks, @@group_concat_max_len > 1000000 AS concat`,
    )
    expect(row).toMatchObject({ client: 'utf8mb4', results: 'utf8mb4', zone: '+00:00', messages: 'en_US' })
    expect(row).toMatchObject({ isolation: 'REPEATABLE-READ', time: 0, idle: 1, slow: 1, concat: 1 })
    expect({ ...row }).toMatchObject({ autocommit: expect.anything(), transaction: '0', locks: '5' })
    expect(JSON.stringify(row)).not.toMatch(/ANSI|BACKSLASH|PIPES|IGNORE_SPACE|PAD_CHAR/)
  })

  it.each(['', 'ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'ANSI,NO_BACKSLASH_ESCAPES'])(
    'hands values over unchanged with the sql_mode %j',
    async (mode) => {
      const session = await bench.open(server.url)
      await session.query(`SET SESSION sql_mode = '${mode}'`)
      for (const text of TEXTS) {
        const sql = `SELECT ? AS text, '?' AS mark, ${quoteText(text)} AS quoted, ? AS bytes, ? AS no`
        const [row] = await session.query(sql, [text, Buffer.from(text), null])
        expect(row).toEqual({ text, mark: '?', quoted: text, bytes: Buffer.from(text), no: null })
      }
    },
  )

  it('takes as many values as there are question marks', async () => {
    const session = await bench.open(server.url)
    await expect(session.query('SELECT ?', [1, 2])).rejects.toThrow(/question marks/)
    await expect(session.query('SELECT ?, ?', [1])).rejects.toThrow()
    const [row] = await session.query('SELECT /* ? */ "?" AS `?`, ? AS n -- ?', [7])
    expect(row).toEqual({ '?': '?', n: 7 })
  })

  it('reads what a number, a date or a text of JavaScript could not hold', async () => {
    const session = await bench.open(server.url)
    const [row] = await session.query(
      `SELECT 9007199254740993 AS big, 18446744073709551615 AS bigger, 1.10 AS exact, 5 + 0 AS sum, 0.1e0 AS real8,
              CAST('0000-00-00' AS DATE) AS zero, TIMESTAMP'2026-02-28 23:59:59.123456' AS time,
              CAST('-838:59:59' AS TIME) AS span, X'00ff80' AS bytes, b'101' AS bits, POINT(1, 2) AS place,
              JSON_OBJECT('a', 1) AS json, '🐘' AS elephant`,
    )
    expect(row).toEqual({
      ...{ big: '9007199254740993', bigger: '18446744073709551615', exact: '1.10', sum: expect.anything() },
      ...{ real8: 0.1, zero: '0000-00-00', time: '2026-02-28 23:59:59.123456', span: '-838:59:59' },
      ...{ bytes: Buffer.from([0, 255, 128]), bits: Buffer.from([5]), place: expect.any(Buffer) },
      ...{ json: '{"a": 1}', elephant: '🐘' },
    })
  })

  it('carries 10 MB in one value, and survives what is too large for the server', async () => {
    const session = await bench.open(server.url)
    const [row] = await session.query<{ text: string }>("SELECT REPEAT('xyz ', 2500000) AS text")
    expect(row?.text.length).toBe(10_000_000)
    const sending = session.query('SELECT LENGTH(?)', ['x'.repeat(20_000_000)])
    expect(await reasonOf(sending)).toMatch(/TOOL_FAILED: .* max_allowed_packet/)
    expect(await session.query('SELECT 1 AS still')).toEqual([{ still: 1 }])
  })

  it('runs one statement at a time, in order', async () => {
    const session = await bench.open(server.url)
    await session.query('SET @n = 0')
    const turns = [1, 2, 3].map((n) => session.query(`SELECT SLEEP(0.02), @n := @n + ${n} AS n`))
    const rows = await Promise.all(turns)
    expect(rows.map(([row]) => Number(Object.values(row ?? {}).at(-1)))).toEqual([1, 3, 6])
  })

  it('never carries out a second statement', async () => {
    const session = await bench.open(server.url)
    await rejectsWith('TOOL_FAILED', session.query('DO 0; CREATE DATABASE second'))
  })

  it('gives no file of this machine to the server', async () => {
    const session = await bench.open(await server.createDatabase())
    await session.query('CREATE TABLE t (a TEXT)')
    await rejectsWith('TOOL_FAILED', session.query("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t"))
    expect(await session.query('SELECT * FROM t')).toEqual([])
  })

  it('repeats no statement and no value when one is refused', async () => {
    const session = await bench.open(await server.createDatabase())
    await session.query('CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(9) UNIQUE)')
    await session.query("INSERT INTO t VALUES (1, 'canary')")
    for (const sql of [
      "INSERT INTO t VALUES (2, 'canary')",
      'SELEC canary',
      "SELECT CAST('canary' AS DATE) + x",
    ]) {
      const error = await rejectsWith('TOOL_FAILED', session.query(sql))
      expect(error.cause).toBeInstanceOf(ServerRefusal)
      expect(`${error.message} ${error.cause}`).not.toContain('canary')
    }
  })

  it('is over on the server too when it is cancelled while it works', async () => {
    const stop = new AbortController()
    const session = await bench.open(server.url, { signal: stop.signal })
    const work = reasonOf(session.query('SELECT SLEEP(60)'))
    const watcher = await bench.open(server.url)
    const isThere = async () =>
      (
        await watcher.query(
          "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(60)%'",
        )
      ).length > 0
    await waitUntil(isThere)
    stop.abort(new AppError('CANCELLED', 'enough'))
    expect(await work).toBe('CANCELLED: enough')
    await session.close()
    await waitUntil(async () => !(await isThere()))
  })
})

describe('sessions of an operation', () => {
  it('are found and ended by whoever comes next, whatever they do', async () => {
    const [first, second] = [
      await bench.open(server.url, { lockName: lockOf(OPERATION) }),
      await bench.open(server.url, { lockName: lockOf(OPERATION, 3) }),
    ]
    const other = await bench.open(server.url, { lockName: lockOf('01890a5d-ac96-774b-bcce-b302099a8058') })
    const working = reasonOf(first.query('SELECT SLEEP(60)'))
    const next = await bench.open(server.url)
    expect(await endSessions(next, OPERATION)).toBe(2)
    expect(await working).toMatch(/^TARGET_UNREACHABLE/)
    await waitUntil(async () => second.lost.aborted)
    expect([first.lost.aborted, other.lost.aborted]).toEqual([true, false])
    expect(await endSessions(next, OPERATION)).toBe(0)
  })

  it('are not two under one name', async () => {
    await bench.open(server.url, { lockName: lockOf(OPERATION) })
    expect(await reasonOf(bench.open(server.url, { lockName: lockOf(OPERATION) }))).toMatch(
      /^DATABASE_LOCKED/,
    )
  })

  it('are spared if they ask, and ended by their schema', async () => {
    const name = ownName('new', OPERATION)
    const url = await server.createDatabase(name)
    const [asks, works] = [await bench.open(url), await bench.open(url)]
    const upper = await bench.open(await server.createDatabase(name.toUpperCase()))
    expect(await endSessionsOf(asks, name)).toBe(1)
    await waitUntil(async () => works.lost.aborted)
    expect([asks.lost.aborted, upper.lost.aborted]).toEqual([false, false])
  })
})

describe('listDatabases', () => {
  it('leaves out what is the server’s or ours, and what the user may not see', async () => {
    const names = ['list_a', 'list_Z', 'LIST_é', 'holdfast_new', ownName('drill', OPERATION)]
    for (const name of names) await server.createDatabase(name)
    const listed = await listDatabases({ connection: parseMysqlUrl(server.url) }, signal())
    expect(listed).toEqual(expect.arrayContaining(names.slice(0, -1)))
    expect(listed.join()).not.toMatch(/schema|mysql|sys|drill/)
    const account = await server.createAccount({ grants: ['SELECT ON list_a.*'] })
    const seen = await listDatabases({ connection: parseMysqlUrl(server.urlOf(null, account)) }, signal())
    expect(seen).toEqual(['list_a'])
  })
})

function signal(): AbortSignal {
  return new AbortController().signal
}
