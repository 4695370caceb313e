import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RestoreOptions } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { allow, never, rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { DumpFile } from '../testing/restore-bench.ts'
import { databaseOf, quote, RestoreBench } from '../testing/restore-bench.ts'

const WITH_OWNERS: RestoreOptions = { keepOwners: true, definer: null }
const WITHOUT_OWNERS: RestoreOptions = { keepOwners: false, definer: null }

let server: PostgresServer
let bench: RestoreBench

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 5, wal_level: 'logical' } })
  bench = await RestoreBench.make(server)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
  assert.deepEqual(await bench.own(), [])
})

function ask(dump: DumpFile, url: string, options = WITH_OWNERS) {
  return bench.restore(url).preflight(dump.description, options, never)
}

async function refusal(dump: DumpFile, url: string, options = WITH_OWNERS): Promise<string> {
  const { message, hint } = await rejectsWith('RESTORE_NOT_POSSIBLE', ask(dump, url, options))
  return `${message} | ${hint}`
}

describe('what a restore finds at its destination', () => {
  it('tells a database that is not there from an empty one and from one with data', async () => {
    const absent = await bench.absent()
    const empty = await server.createDatabase()
    const full = await bench.seeded(1)
    for (const [url, exists, occupied] of [
      [absent, false, false],
      [empty, true, false],
      [full, true, true],
    ] as const) {
      const report = await bench.restore(url).inspectDestination(never)
      assert.deepEqual([report.exists, report.occupied], [exists, occupied])
      assert.equal(report.sizeBytes > 0, exists)
      assert.equal(report.location, `postgres://127.0.0.1:${server.port}/${databaseOf(url)}`)
      assert.equal(report.lockKey, `postgres:localhost:${server.port}/${databaseOf(url)}`)
      assert.doesNotMatch(JSON.stringify(report), new RegExp(server.superuser.password))
    }
  })

  it.each([
    'CREATE SCHEMA s',
    'CREATE TYPE t AS ENUM ()',
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    'SELECT lo_create(0)',
    'CREATE EXTENSION pgcrypto',
    'CREATE PUBLICATION p',
    'CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int4, RIGHTARG = int4)',
    'CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()',
    'CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)',
    'CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)',
    "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    'CREATE CAST (text AS json) WITH INOUT',
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
  ])('takes a database with nothing but this for an occupied one: %s', async (sql) => {
    const url = await server.createDatabase()
    await server.sql(databaseOf(url), sql)
    assert.ok((await bench.restore(url).inspectDestination(never)).occupied)
  })

  it.each([
    ['the file pg_filenode.map', null],
    ['the file PG_VERSION', null],
    ['the directory', null],
    ['permission', 'ALLOW_CONNECTIONS false'],
    ['a library', "SET session_preload_libraries = 'gone'"],
  ])('replaces a database that nobody can get into for want of %s', async (lost, setting) => {
    const dump = await bench.dump(await bench.seeded(1))
    const url = await bench.seeded(2)
    const [row] = await server.sql('postgres', 'SELECT oid FROM pg_database WHERE datname = $1', [
      databaseOf(url),
    ])
    await server.sql('postgres', 'CHECKPOINT')
    if (setting !== null) {
      await server.sql('postgres', `ALTER DATABASE ${quote(databaseOf(url))} ${setting}`)
    } else {
      const file = /^the file (.*)/.exec(lost)?.[1] ?? ''
      await rm(join(server.directory, 'data/base', String(row?.oid), file), { recursive: true })
    }
    assert.ok((await bench.restore(url).inspectDestination(never)).occupied)
    await ask(dump, url)
    const { replaced } = await bench.run(dump, url)
    assert.ok(replaced)
    assert.match(await bench.digest(url), /items/)
    await bench.restore(url).removeReplaced(replaced.ticket)
  })

  it('takes temporary tables of others for nothing', async () => {
    const url = await server.createDatabase()
    const held = await server.hold(databaseOf(url), 'CREATE TEMPORARY TABLE mine (id int); COMMIT; SELECT 1')
    assert.equal((await bench.restore(url).inspectDestination(never)).occupied, false)
    await held.release()
  })

  it('warns of sessions, prepared transactions, subscriptions and slots', async () => {
    const url = await bench.seeded(2)
    const name = databaseOf(url)
    await server.sql(name, "SELECT pg_create_logical_replication_slot('lagging', 'pgoutput')")
    await server.sql(name, "BEGIN; DELETE FROM parts; PREPARE TRANSACTION 'forgotten'")
    await server.sql(
      name,
      "CREATE SUBSCRIPTION quiet CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
    )
    const held = await server.hold(name, 'SELECT 1')
    const { warnings } = await bench.restore(url).inspectDestination(never)
    await held.release()
    await server.sql(name, "ROLLBACK PREPARED 'forgotten'")
    await server.sql(name, "SELECT pg_drop_replication_slot('lagging')")
    for (const expected of [/1 sessions .*test/, /forgotten/, /quiet/, /lagging/]) {
      assert.match(warnings.join('\n'), expected)
    }
  })

  it('rejects a URL that names a server', async () => {
    const url = server.urlOf('').replace(/\/$/, '')
    await rejectsWith('INVALID_REQUEST', bench.restore(url).inspectDestination(never))
  })
})

describe('what a restore asks for beforehand', () => {
  it('names everything that is missing at once, with what to do', async () => {
    const dump = await bench.dump(await bench.seeded(3), 'custom', {
      contents: {
        roles: ['ghost', 'public', server.superuser.name],
        extensions: [{ name: 'holographic', version: '1.0', schema: 'public' }],
        tablespaces: ['fast disk'],
      },
    })
    const told = await refusal(dump, await bench.absent())
    for (const expected of [
      /roles are missing on the server: ghost;/,
      /extensions are not installed on the server: holographic/,
      /tablespaces are missing on the server: fast disk/,
      /globals/,
      /keepOwners: false/,
    ]) {
      assert.match(told, expected)
    }
  })

  it('needs no roles without owners, which scripts cannot leave out', async () => {
    const source = await bench.seeded(4)
    const change = { contents: { roles: ['ghost'] } }
    await ask(await bench.dump(source, 'custom', change), await bench.absent(), WITHOUT_OWNERS)
    const told = await refusal(
      await bench.dump(source, 'plain', change),
      await bench.absent(),
      WITHOUT_OWNERS,
    )
    assert.match(told, /plain dump .* custom, directory or tar/)
  })

  it('restores without owners where the roles are missing', async () => {
    const source = await bench.seeded(5)
    const owner = await server.createRole()
    await server.sql(
      databaseOf(source),
      `ALTER TABLE parts OWNER TO ${owner.name}; GRANT SELECT ON items TO ${owner.name}`,
    )
    await server.sql('postgres', `ALTER DATABASE ${databaseOf(source)} OWNER TO ${owner.name}`)
    const dump = await bench.dump(source, 'custom', { contents: { roles: [owner.name] } })
    const before = await bench.digest(source)
    await server.sql('postgres', `ALTER DATABASE ${databaseOf(source)} OWNER TO ${server.superuser.name}`)
    await server.sql(databaseOf(source), `DROP OWNED BY ${owner.name}; DROP ROLE ${owner.name}`)
    const url = await bench.absent()
    assert.match(await refusal(dump, url), new RegExp(owner.name))
    await bench.run(dump, url, { options: WITHOUT_OWNERS })
    assert.equal(await bench.digest(url), before)
  })

  it.each([
    [{ serverVersion: 990_001 }, /the backup is of PostgreSQL 99\.1, the server is .*older/],
    [{ database: { ...TRAITS(), encoding: 'KLINGON' } }, /does not know the encoding KLINGON/],
    [{ database: { ...TRAITS(), collate: 'tlh_QO.UTF-8', ctype: 'tlh_QO.UTF-8' } }, /has not .*tlh_QO/],
  ])('rejects what no server here has: %j', async (contents, expected) => {
    const dump = await bench.dump(await bench.seeded(6), 'custom', { contents })
    assert.match(await refusal(dump, await bench.absent()), expected)
  })

  it('rejects a dump of a newer pg_dump', async () => {
    const dump = await bench.dump(await bench.seeded(7))
    const newer = { ...dump, description: { ...dump.description, toolVersion: '99.1' } }
    assert.match(await refusal(newer, await bench.absent()), /made by pg_dump 99\.1/)
  })

  it('rejects a database that is not the own one, and what only superusers can create', async () => {
    const user = await server.createRole({ attributes: 'CREATEDB' })
    const foreign = server.urlOf(databaseOf(await bench.seeded(8)), user)
    const dump = await bench.dump(await bench.seeded(9), 'custom', {
      contents: { superuserOnly: ['event triggers'], languages: ['plperlu'] },
    })
    const told = await refusal(dump, foreign)
    assert.match(told, /does not own the database/)
    assert.match(told, /only a superuser can create event triggers, language plperlu/)
  })

  it('rejects templates', async () => {
    const dump = await bench.dump(await bench.seeded(10))
    assert.match(await refusal(dump, server.urlOf('template1')), /template/)
  })

  it('says what will not be there, and what it makes use of', async () => {
    const leftOut = { schemas: ['archive'], tables: ['public.logs'], rowsOf: [] }
    const dump = await bench.dump(await bench.seeded(11), 'custom', { contents: { leftOut } })
    const url = await bench.seeded(12)
    const { bytesNeeded, privileges, warnings } = await ask(dump, url)
    assert.ok(bytesNeeded > dump.description.sizeBytes)
    assert.match(warnings.join(), /archive.*public\.logs/)
    assert.match(privileges.join(), /superuser.*ownership of/)
  })

  it('replaces the database postgres, too, and works where that is missing', async () => {
    const own = await startPostgres()
    const there = await RestoreBench.make(own)
    try {
      const dump = await there.dump(await there.seeded(13))
      const { replaced } = await there.run(dump, own.url)
      assert.ok(replaced)
      await there.restore(own.url).undo(replaced.ticket, allow, never)
      const other = await there.seeded(14)
      await own.sql('template1', 'DROP DATABASE postgres')
      assert.ok((await there.run(dump, other)).replaced)
    } finally {
      await own.stop()
      await there.remove()
    }
  })

  it('needs a database beside the destination that lets the user in', async () => {
    const user = await server.createRole({ attributes: 'CREATEDB' })
    const name = databaseOf(await server.createDatabase(undefined, `OWNER ${quote(user.name)}`))
    const dump = await bench.dump(await bench.seeded(15))
    const others = (
      await server.sql('postgres', 'SELECT datname FROM pg_database WHERE datallowconn')
    ).filter(({ datname }) => datname !== name)
    for (const { datname } of others) {
      await server.sql('postgres', `REVOKE CONNECT ON DATABASE ${quote(String(datname))} FROM PUBLIC`)
    }
    try {
      const url = server.urlOf(name, user)
      assert.equal((await bench.restore(url).inspectDestination(never)).occupied, false)
      await rejectsWith('RESTORE_NOT_POSSIBLE', bench.stage(dump, url, { options: WITHOUT_OWNERS }))
    } finally {
      for (const { datname } of others) {
        await server.sql('postgres', `GRANT CONNECT ON DATABASE ${quote(String(datname))} TO PUBLIC`)
      }
    }
  })
})

function TRAITS() {
  return {
    encoding: 'UTF8',
    collate: 'C',
    ctype: 'C',
    localeProvider: 'libc',
    locale: null,
    icuRules: null,
    owner: 'holdfast',
    tablespace: 'pg_default',
    isTemplate: false,
    connectionLimit: -1,
  } as const
}
