import { existsSync } from 'node:fs'
import type { MariadbServer } from '@holdfast/testing'
import { mysqlName, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ourSchemas, sessionsLeft } from './support/mysql-bench.ts'
import { addTarget, ask, carryOut, outcomeOf } from './support/operations.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const PWNED = '/tmp/holdfast-pwned-mysql'
const HOSTILE = [
  ...['-x', '--all-databases', 'back`tick', 'a/b', '../../etc/passwd', 'dot.ted', '%41', '#hash;'],
  ...[
    `it's 100% "odd" \\ \\n`,
    'two\nlines',
    'Üñï ☃',
    '表',
    'x?sslmode=y#z',
    `$(touch ${PWNED})`,
    'é'.repeat(64),
  ],
  ...['a*b', 'HOLDFAST_new', 'mysql2', "'; DROP DATABASE plain_0; --"],
]
const PLAIN = ['plain_0', 'plain_1', 'plain_2']
const BROKEN = 'plain_broken'
const DATABASES = [...HOSTILE, ...PLAIN]
/** What names its own database in all the ways that servers keep. */
const OBJECTS = [
  'CREATE SEQUENCE ids',
  'CREATE TABLE me (id bigint DEFAULT NEXTVAL(ids) PRIMARY KEY, name varchar(200)) DEFAULT CHARSET utf8mb4',
  'INSERT INTO me (name) VALUES (DATABASE())',
  'CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1',
  'CREATE VIEW seen AS SELECT me.name, one() AS one FROM me JOIN me AS other ON other.id = me.id',
  'CREATE TRIGGER shout BEFORE INSERT ON me FOR EACH ROW SET NEW.name = UPPER(NEW.name)',
  'CREATE EVENT never ON SCHEDULE EVERY 1 YEAR DO DELETE FROM me',
]

describe('a MariaDB server with databases of every name', { timeout: 120_000 }, () => {
  let system: System
  let server: MariadbServer

  beforeAll(async () => {
    ;[system, server] = await Promise.all([startSystem({ workers: 2 }), startMariadb()])
    for (const name of [...DATABASES, BROKEN]) {
      await server.createDatabase(name)
      await server.sql(name, OBJECTS.join(';\n'))
    }
    await server.sql(BROKEN, 'DROP TABLE me')
    const databases = { exclude: ['mysql2'] }
    await addTarget(system, 'all', server.url, { databases, parallelDatabases: 3 })
  }, 120_000)
  afterAll(() => Promise.all([system?.stop(), server?.stop()]))

  const seenIn = (database: string) => server.sql(database, 'SELECT name, one FROM seen')

  it('is checked, listing what a backup would be of', async () => {
    const { body: check } = await system.call('POST', '/v1/targets/all/check')
    const wanted = [...DATABASES, BROKEN].filter((name) => name !== 'mysql2')
    expect(check.databases.toSorted()).toEqual(wanted.toSorted())
    await addTarget(system, 'some', server.url, { databases: { include: ['plain_?', '-*', 'none*'] } })
    const { body: some } = await system.call('POST', '/v1/targets/some/check')
    expect(some.databases).toEqual(['--all-databases', '-x', ...PLAIN])
    expect(some.warnings).toContain('no database matches none*')
  })

  it('is backed up as one group, of which the broken one alone fails', async () => {
    const group = await carryOut(system, '/v1/backups', { target: 'all', verify: 'structure' })
    expect(group).toMatchObject({
      state: 'failed',
      error: {
        code: 'GROUP_INCOMPLETE',
        detail: `1 of ${DATABASES.length} databases have no backup: ${BROKEN}`,
      },
    })
    const { members } = group.result
    expect(codesOf(members)).toEqual(['DATABASE_INVALID'])
    const { body: listed } = await system.call('GET', `/v1/backups?group=${group.id}&limit=200`)
    const kept = listed.items.filter(({ database }: { database: string }) => database !== BROKEN)
    expect(kept).toHaveLength(DATABASES.length - 1)
    for (const backup of kept)
      expect(backup).toMatchObject({ status: 'completed', recordCount: 1, verification: { valid: true } })
  })

  it('is restored, each as the database that bears the name, under another one', async () => {
    const restores: (readonly [name: string, into: string, id: string])[] = []
    for (const [index, database] of DATABASES.filter((name) => name !== 'mysql2').entries()) {
      const { body: backup } = await latestOf(database)
      const into = [...`${index}${database}`].slice(0, 64).join('')
      const body = { into: { target: 'all', database: into }, dryRun: false }
      restores.push([database, into, await ask(system, `/v1/backups/${backup.id}/restore`, body)])
    }
    for (const [name, into, id] of restores) {
      expect(await outcomeOf(system, id), into).toMatchObject({ state: 'completed', error: null })
      expect(await seenIn(into)).toEqual([{ name, one: 1 }])
      await server.sql(into, 'INSERT INTO me (name) VALUES ("x")')
      expect(await server.sql(into, 'SELECT name FROM me WHERE id > 1')).toEqual([{ name: 'X' }])
      expect(await server.sql(null, EVENTS, [into])).toEqual([{ name: 'never' }])
      await server.sql(null, `DROP DATABASE ${mysqlName(into)}`)
    }
  })

  it('has them replaced by what they were, and that undone', async () => {
    for (const database of DATABASES.filter((name) => /^-x$|\n|^é|DROP|`/.test(name))) {
      const { body: backup } = await latestOf(database)
      await server.sql(database, `UPDATE me SET name = 'changed'`)
      const into = { target: 'all', database }
      const consent = { into, dryRun: false, overwrite: true, confirm: database }
      const restored = await carryOut(system, `/v1/backups/${backup.id}/restore`, consent)
      expect(restored, database).toMatchObject({ state: 'completed', error: null })
      expect(await seenIn(database)).toEqual([{ name: database, one: 1 }])
      const undone = await carryOut(system, `/v1/operations/${restored.id}/undo`)
      expect(undone, database).toMatchObject({ state: 'completed', error: null })
      expect(await seenIn(database)).toEqual([{ name: 'changed', one: 1 }])
    }
  })

  it('has led nowhere else, and nothing is left', async () => {
    expect(existsSync(PWNED)).toBe(false)
    // which is no name of a restore
    expect(await ourSchemas(server)).toEqual(['HOLDFAST_new'])
    expect(await sessionsLeft(server)).toEqual([])
  })

  const latestOf = (database: string) =>
    system.call('GET', `/v1/backups/latest?target=all&database=${encodeURIComponent(database)}`)
})

const codesOf = (members: readonly { readonly error: { readonly code: string } | null }[]) =>
  members.flatMap(({ error }) => error?.code ?? [])

const EVENTS = 'SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?'
