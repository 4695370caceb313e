import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { never, rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { contentOf, DumpBench, quoted, schemaOf } from '../testing/dump-bench.ts'
import { inspectDatabase } from './inspect-database.ts'

let server: MariadbServer
let bench: DumpBench
let url: string

const OBJECTS = `
  CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);
  CREATE TABLE other (id int);
  CREATE SEQUENCE s;
  CREATE VIEW v AS SELECT id FROM t;
  CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id + 1;
  CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t WHERE id = 99`

beforeAll(async () => {
  server = await startMariadb()
  bench = await DumpBench.make(server)
  url = await server.createDatabase()
  await server.sql(schemaOf(url), OBJECTS)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

async function accountWith(...grants: readonly string[]): Promise<string> {
  return server.urlOf(schemaOf(url), await server.createAccount({ grants }))
}

const LEAST = 'SELECT, SHOW VIEW, TRIGGER, EVENT'

describe('the least privileges', () => {
  it('are enough for all there is', async () => {
    const mine = await accountWith(`${LEAST} ON ${quoted(url)}.*`, 'SELECT ON mysql.proc')
    const taken = await bench.dump(mine)
    assert.equal(taken.summary.counting, 'exact')
    const kinds = taken.contents.programs.map(({ kind }) => kind)
    assert.deepEqual(kinds.toSorted(), ['event', 'function', 'trigger', 'view'])
    const text = await bench.text(taken)
    for (const what of ['FUNCTION `f`', 'EVENT `e`', 'TRIGGER', 'VIEW `v`', 'CREATE SEQUENCE `s`']) {
      assert.ok(text.includes(what), what)
    }
  })

  it('are those of a role as well', async () => {
    const role = `r${bench.newOperationId().slice(-7)}`
    await server.sql(
      null,
      `CREATE ROLE ${role}; GRANT ${LEAST} ON ${quoted(url)}.* TO ${role}; GRANT SELECT ON mysql.proc TO ${role}`,
    )
    const account = await server.createAccount()
    await server.sql(
      null,
      `GRANT ${role} TO '${account.name}'@'%'; SET DEFAULT ROLE ${role} FOR '${account.name}'@'%'`,
    )
    await bench.dump(server.urlOf(schemaOf(url), account))
  })

  it.each(LEAST.split(', '))('fail a dump and an inspection that lack %s', async (privilege) => {
    const rest = LEAST.split(', ').filter((other) => other !== privilege)
    const mine = await accountWith(`${rest.join(', ')} ON ${quoted(url)}.*`, 'SELECT ON mysql.proc')
    const failure = await rejectsWith('DATABASE_ACCESS_DENIED', bench.dump(mine))
    assert.ok(failure.message.includes(`lacks ${privilege} on`), failure.message)
    await rejectsWith('DATABASE_ACCESS_DENIED', inspectDatabase(bench.parts(mine), never))
  })

  it.each([
    ['that sees no routine', `${LEAST} ON`, /may not see the routines.*mysql\.proc/],
    ['that sees routines without their bodies', `${LEAST}, EXECUTE ON`, /bodies of routines \(f\)/],
    ['that owns all but the routines of others', 'ALL ON', /bodies of routines \(f\)/],
  ])('fail an account %s', async (_who, grant, message) => {
    const failure = await rejectsWith(
      'DATABASE_ACCESS_DENIED',
      bench.dump(await accountWith(`${grant} ${quoted(url)}.*`)),
    )
    assert.match(failure.message, message)
  })

  it('on single tables are not taken for all of them', async () => {
    const mine = await accountWith(
      `SELECT, SHOW VIEW, TRIGGER ON ${quoted(url)}.t`,
      `EVENT ON ${quoted(url)}.*`,
      'SELECT ON mysql.proc',
    )
    const failure = await rejectsWith('DATABASE_ACCESS_DENIED', bench.dump(mine))
    assert.match(failure.message, /lacks SELECT, SHOW VIEW, TRIGGER on/)
  })

  it('let an account dump the routines that it made', async () => {
    const own = await server.createDatabase()
    const account = await server.createAccount({ grants: [`ALL ON ${quoted(own)}.*`] })
    await server.sql(schemaOf(own), `CREATE DEFINER=\`${account.name}\`@\`%\` PROCEDURE p() SELECT 1`)
    const { contents } = await bench.dump(server.urlOf(schemaOf(own), account))
    assert.equal(contents.programs[0]?.name, 'p')
  })
})

describe('a server that hands out some rows only', () => {
  it.each([
    ['sql_select_limit', '1'],
    ['init_connect', "'SET sql_select_limit = 1'"],
  ])('is refused, since dump programs would not notice: %s', async (setting, value) => {
    await server.sql(null, `SET GLOBAL ${setting} = ${value}`)
    try {
      const refusal = await rejectsWith('TOOL_FAILED', bench.dump(url))
      assert.match(refusal.message, /limits rows by sql_select_limit/)
      await rejectsWith('TOOL_FAILED', inspectDatabase(bench.parts(url), never))
    } finally {
      await server.sql(null, `SET GLOBAL ${setting} = DEFAULT`)
    }
  })
})

describe('globals', () => {
  it('bring accounts, roles and privileges back as they were', async () => {
    const role = "ro'le `1`"
    const quotedRole = "`ro'le ``1```"
    const names = [`o'neil`, 'back`tick', 'ünï ☃', 'a b']
    for (const name of names)
      await server.createAccount({ name, host: '10.%', grants: [`${LEAST} ON ${quoted(url)}.*`] })
    await server.sql(
      null,
      `CREATE ROLE ${quotedRole}; GRANT SELECT ON ${quoted(url)}.* TO ${quotedRole};
       GRANT ${quotedRole} TO 'a b'@'10.%' WITH ADMIN OPTION; SET DEFAULT ROLE ${quotedRole} FOR 'a b'@'10.%';
       GRANT SELECT (id), UPDATE ON ${quoted(url)}.t TO 'a b'@'10.%' WITH GRANT OPTION;
       GRANT EXECUTE ON FUNCTION ${quoted(url)}.f TO 'a b'@'10.%';
       ALTER USER 'a b'@'10.%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 ACCOUNT LOCK;
       CREATE USER plain@localhost; GRANT RELOAD ON *.* TO plain@localhost WITH GRANT OPTION`,
    )
    const accounts = [...names.map((name) => `'${name.replaceAll("'", "''")}'@'10.%'`), 'plain@localhost']
    const before = await describeAccounts([...accounts, quotedRole])
    const { summary } = await bench.dump(url, { globals: 'with-passwords', counting: 'off' })
    const without = await bench.dump(url, { globals: 'without-passwords', counting: 'off' })
    await server.sql(null, `DROP USER ${accounts.join(', ')}; DROP ROLE ${quotedRole}`)

    await bench.script(contentOf(summary.attachments, 'globals'))
    assert.deepEqual(await describeAccounts([...accounts, quotedRole]), before)
    // a second time changes nothing
    await bench.script(contentOf(summary.attachments, 'globals'))
    assert.deepEqual(await describeAccounts([...accounts, quotedRole]), before)
    assert.ok(contentOf(summary.attachments, 'globals').includes(role.replaceAll('`', '``')))

    const script = contentOf(without.summary.attachments, 'globals')
    assert.ok(!/\*[0-9A-F]{40}/.test(script), script)
    await server.sql(null, `DROP USER ${accounts.join(', ')}; DROP ROLE ${quotedRole}`)
    await bench.script(script)
    const known = await describeAccounts(accounts)
    assert.match(known.join('\n'), /`a b`@`10\.%`.*'invalid'/)
  })

  it('are refused with a hint to who may not read them', async () => {
    const mine = await accountWith(`${LEAST} ON ${quoted(url)}.*`, 'SELECT ON mysql.proc')
    const refusal = await rejectsWith(
      'DATABASE_ACCESS_DENIED',
      bench.dump(mine, { globals: 'without-passwords' }),
    )
    assert.match(refusal.hint ?? '', /SELECT on mysql/)
  })
})

async function describeAccounts(accounts: readonly string[]): Promise<readonly string[]> {
  const lines: string[] = []
  for (const account of accounts) {
    if (account.includes('@')) lines.push(...valuesOf(await server.sql(null, `SHOW CREATE USER ${account}`)))
    lines.push(...valuesOf(await server.sql(null, `SHOW GRANTS FOR ${account}`)).toSorted())
  }
  return lines
}

function valuesOf(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  return rows.flatMap((row) => Object.values(row).map(String))
}
