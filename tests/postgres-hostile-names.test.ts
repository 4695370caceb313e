import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addTarget, ask, carryOut, outcomeOf } from './support/operations.ts'
import { ourDatabases, sessionsLeft } from './support/postgres-bench.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const PWNED = '/tmp/holdfast-pwned'
/** With characters that mean something to shells, URLs, connection strings, SQL and files with passwords. */
const PASSWORDS = [
  `a b'c"d\\e`,
  `@:/?#[]%41&=+`,
  `$(touch ${PWNED}); \`id\` | cat`,
  `*:*:*:*:x\n\t é ☃`,
  ` \\' `,
]
const ROLES = [`-d postgres`, `r'o"l\\e @:/?#%41`, `$(touch ${PWNED})`, `host=127.0.0.1`, `ünï ☃ = `]
const FORMATS = ['custom', 'plain', 'directory', 'tar', 'custom'] as const

describe('names that look like something else', { timeout: 120_000 }, () => {
  let system: System
  let server: PostgresServer
  /** Where a name taken for a connection string would lead to. */
  let trap: Server
  let visitors = 0
  let databases: readonly string[]

  beforeAll(async () => {
    server = await startPostgres()
    trap = createServer((socket) => {
      visitors += 1
      socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(trap, 'listening')
    const address = trap.address()
    const port = typeof address === 'object' ? address?.port : 0
    databases = [
      ...[
        '-Fc',
        '--help',
        '..',
        'a b',
        ' ',
        `it's "q" \\`,
        'Ünï ☃',
        '%41',
        '../../etc/passwd',
        'x?sslmode=y#z',
      ],
      ...[
        `host=127.0.0.1 port=${port}`,
        `postgres://me:pw@127.0.0.1:${port}/x`,
        `dbname='postgres' port=${port}`,
      ],
      ...[`$(touch ${PWNED})`, "'; DROP DATABASE postgres; --", 'x'.repeat(63)],
    ]
    system = await startSystem({ env: { HOLDFAST_CONCURRENCY: '2' } })
    await server.sql('postgres', `CREATE TABLE me AS SELECT 'the wrong one' AS name`)
    for (const name of databases) await make(name)
  }, 120_000)
  afterAll(async () => {
    trap?.close()
    await system?.stop()
    await server?.stop()
  })

  async function make(name: string, owner = server.superuser.name): Promise<void> {
    await server.createDatabase(name, `OWNER ${pg.escapeIdentifier(owner)}`)
    const sql = `CREATE TABLE me AS SELECT current_database()::text AS name; ALTER TABLE me OWNER TO ${pg.escapeIdentifier(owner)}`
    await server.sql(name, sql)
  }

  const nameIn = async (database: string) => (await server.sql(database, 'SELECT name FROM me'))[0]?.name

  it('are backed up and restored as the databases that bear them, one by one of a server', async () => {
    const everything = new URL(server.url)
    everything.pathname = '/'
    await addTarget(system, 'server', everything.href, { compression: 'none' })
    const group = await carryOut(system, '/v1/backups', { target: 'server' })
    const { members } = group.result
    const wanted = [...databases, 'postgres'].toSorted()
    expect(members.map(({ database }: { database: string }) => database).toSorted()).toEqual(wanted)
    expect(group).toMatchObject({ state: 'completed', result: { completed: wanted.length, failed: 0 } })

    const restores: (readonly [name: string, into: string, id: string])[] = []
    for (const [index, { database, backupId }] of members.entries()) {
      // to the name that it has where there is none of it, to a stranger one else
      const into = database === 'postgres' ? 'copy' : `${index}${database}`.slice(0, 40)
      const body = { into: { target: 'server', database: into }, dryRun: false }
      restores.push([database, into, await ask(system, `/v1/backups/${backupId}/restore`, body)])
    }
    for (const [name, into, id] of restores) {
      expect(await outcomeOf(system, id), into).toMatchObject({ state: 'completed', error: null })
      expect(await nameIn(into)).toBe(name === 'postgres' ? 'the wrong one' : name)
    }
  })

  it('are replaced by what they were, and that is undone', async () => {
    for (const database of databases.filter((name) => /^-Fc$|DROP|^postgres:/.test(name))) {
      const path = `/v1/backups/latest?target=server&database=${encodeURIComponent(database)}`
      const { body: latest } = await system.call('GET', path)
      await server.sql(database, `UPDATE me SET name = 'changed'`)
      const consent = {
        into: { target: 'server', database },
        dryRun: false,
        overwrite: true,
        confirm: database,
      }
      const restored = await carryOut(system, `/v1/backups/${latest.id}/restore`, consent)
      expect(restored, database).toMatchObject({ state: 'completed', error: null })
      expect(await nameIn(database)).toBe(database)
      const undone = await carryOut(system, `/v1/operations/${restored.id}/undo`)
      expect(undone, database).toMatchObject({ state: 'completed', error: null })
      expect(await nameIn(database)).toBe('changed')
    }
  })

  it.each(ROLES.map((role, index) => [role, PASSWORDS[index] ?? '', FORMATS[index] ?? 'custom'] as const))(
    'log in and own what they restore: role %s',
    async (name, password, format) => {
      const owner = await server.createRole({ name, password, attributes: 'CREATEDB' })
      const database = `of ${name}`
      await make(database, name)
      const target = `role-${ROLES.indexOf(name)}`
      await addTarget(system, target, server.urlOf(database, owner), { format, verify: 'restore' })
      const backup = await carryOut(system, '/v1/backups', { target })
      expect(backup).toMatchObject({ state: 'completed', error: null })
      const consent = { into: { target }, dryRun: false, overwrite: true, confirm: target }
      const restored = await carryOut(system, `/v1/backups/${backup.backupId}/restore`, consent)
      expect(restored).toMatchObject({ state: 'completed', error: null })
      expect(await nameIn(database)).toBe(database)
      const [facts] = await server.sql(
        database,
        `SELECT pg_get_userbyid(relowner)::text AS me, pg_get_userbyid(datdba)::text AS owner
         FROM pg_class, pg_database WHERE relname = 'me' AND datname = current_database()`,
      )
      expect(facts).toEqual({ me: name, owner: name })
      expect(await carryOut(system, `/v1/operations/${restored.id}/undo`)).toMatchObject({ error: null })
    },
  )

  it('have led nowhere else', async () => {
    expect(visitors).toBe(0)
    expect(existsSync(PWNED)).toBe(false)
    expect(await nameIn('postgres')).toBe('the wrong one')
    expect(await ourDatabases(server)).toEqual([])
    expect(await sessionsLeft(server)).toEqual([])
  })
})
