import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { addTarget, ask, carryOut } from './support/operations.ts'
import { ourDatabases, sessionsLeft, untilBusy } from './support/postgres-bench.ts'
import { sweepNow } from './support/sweep.ts'
import type { System } from './support/system.ts'
import { finished, startSystem } from './support/system.ts'

const WORKER = fileURLToPath(new URL('./support/impatient-worker.ts', import.meta.url))

const SHOP = `
  CREATE TABLE items (id serial PRIMARY KEY, item text);
  INSERT INTO items (item) SELECT md5(i::text) FROM generate_series(1, 2000) AS i;
  ALTER TABLE items OWNER TO keeper;
  SELECT lo_from_bytea(4711, 'a large object')`
/** Can be dumped, and never loaded: there is no search path then. */
const BROKEN = `
  CREATE FUNCTION plus(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
  CREATE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN plus($1); END';
  CREATE TABLE secrets AS SELECT 4711 AS pin;
  CREATE MATERIALIZED VIEW doubled AS SELECT twice(pin) FROM secrets`
/** Loads until it is ended. */
const SLOW = `
  CREATE FUNCTION nap(int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN IF current_setting('application_name') LIKE 'holdfast-%' THEN PERFORM pg_sleep(60); END IF; RETURN $1; END $$;
  CREATE TABLE t AS SELECT 1 AS a;
  CREATE MATERIALIZED VIEW naps AS SELECT public.nap(a) FROM t`

describe('drills of PostgreSQL', { timeout: 60_000 }, () => {
  let server: PostgresServer
  let other: PostgresServer
  let system: System

  beforeAll(async () => {
    const servers = [startPostgres(), startPostgres()] as const
    ;[server, other] = await Promise.all(servers)
    await server.createRole({ name: 'keeper' })
    system = await startSystem({ entries: { worker: WORKER } })
    await addTarget(system, 'elsewhere', other.url)
  })
  afterAll(async () => {
    await system?.stop()
    await Promise.all([server?.stop(), other?.stop()])
  })
  afterEach(async () => {
    for (const place of [server, other]) {
      expect(await ourDatabases(place)).toEqual([])
      expect(await sessionsLeft(place)).toEqual([])
    }
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
  })

  /** A new target with a database of its own. */
  async function add(name: string, sql: string, options: object = {}): Promise<void> {
    const url = await server.createDatabase(name)
    await server.sql(name, sql)
    await addTarget(system, name, url, options)
  }

  async function backUp(target: string, body: object = {}): Promise<string> {
    const done = await carryOut(system, '/v1/backups', { target, ...body })
    expect(done.error).toBeNull()
    return done.backupId
  }

  const drill = (id: string) => carryOut(system, `/v1/backups/${id}/verify`, { level: 'restore' })
  const get = async (id: string) => (await system.call('GET', `/v1/backups/${id}`)).body

  it.each(['custom', 'plain', 'directory', 'tar'])('prove a backup in format %s', async (format) => {
    await add(`shop-${format}`, SHOP)
    const id = await backUp(`shop-${format}`, { format })
    const { error, result } = await drill(id)
    expect(error).toBeNull()
    const verification = { level: 'restore', valid: true }
    expect(result).toMatchObject({ verification })
    const { status, verification: known } = await get(id)
    expect({ status, known }).toMatchObject({ status: 'completed', known: verification })
    expect(known.message).toMatch(/^restored on PostgreSQL .*2 tables and 1 sequence as in the source/)
  })

  it('are part of a backup that asks for them', async () => {
    await add('careful', SHOP, { verify: 'restore' })
    const { verification } = await get(await backUp('careful'))
    expect(verification).toMatchObject({ level: 'restore', valid: true })
    expect(verification.message).toMatch(/^restored on PostgreSQL/)
  })

  it('of one database of a server run on that server', async () => {
    await server.createDatabase('member')
    await server.sql('member', SHOP)
    await addTarget(system, 'server', server.urlOf(''))
    const id = await backUp('server', { database: 'member', verify: 'restore' })
    expect(await get(id)).toMatchObject({
      database: 'member',
      verification: { level: 'restore', valid: true },
    })
  })

  it('run on the server of another target if that is asked for', async () => {
    await add('guest', SHOP, { drillOn: 'elsewhere' })
    const id = await backUp('guest')
    const { result } = await drill(id)
    expect(result.verification).toMatchObject({ valid: true, message: expect.stringContaining('keeper') })
    await other.halt()
    const refused = await drill(id)
    await other.resume()
    expect(refused.error).toMatchObject({ code: 'TARGET_UNREACHABLE' })
    expect(await get(id)).toMatchObject({ status: 'completed', verification: { valid: true } })
  })

  it('find a database that can be dumped and not restored, and name what fails', async () => {
    await add('broken', BROKEN)
    const id = await backUp('broken')
    expect(await get(id)).toMatchObject({ status: 'completed' })
    const { state, error } = await drill(id)
    expect({ state, error }).toMatchObject({ state: 'failed', error: { code: 'VERIFICATION_FAILED' } })
    expect(error.detail).toMatch(/^not restorable: .*function plus\(integer\) does not exist .*doubled/)
    const { status, verification } = await get(id)
    expect({ status, verification }).toMatchObject({
      status: 'damaged',
      verification: { level: 'restore', valid: false, message: error.detail },
    })
    const careful = await carryOut(system, '/v1/backups', { target: 'broken', verify: 'restore' })
    expect(careful.error).toMatchObject({ code: 'VERIFICATION_FAILED', detail: error.detail })
    expect(await get(careful.backupId)).toMatchObject({ status: 'failed' })
    expect(system.output()).not.toContain('4711')
  })

  it('say nothing of a backup whose target is gone, or whose server of drills is', async () => {
    await add('leaving', SHOP)
    const left = await backUp('leaving')
    expect((await system.call('DELETE', '/v1/targets/leaving')).status).toBe(204)
    const alone = await drill(left)
    expect(alone.error).toMatchObject({
      code: 'RESTORE_NOT_POSSIBLE',
      hint: expect.stringContaining('drillOn'),
    })
    expect(await get(left)).toMatchObject({
      status: 'completed',
      verification: { level: 'structure', valid: true },
    })

    await addTarget(system, 'short-lived', other.url)
    await add('stranded', SHOP, { drillOn: 'short-lived' })
    const stranded = await backUp('stranded')
    expect((await system.call('DELETE', '/v1/targets/short-lived')).status).toBe(204)
    const refused = await drill(stranded)
    expect(refused.error).toMatchObject({
      code: 'TARGET_NOT_FOUND',
      hint: expect.stringContaining('drillOn'),
    })
    expect(await get(stranded)).toMatchObject({ status: 'completed' })
  })

  it('end when they are cancelled', async () => {
    await add('slow', SLOW)
    const id = await backUp('slow')
    const operation = await ask(system, `/v1/backups/${id}/verify`, { level: 'restore' })
    await untilBusy(server, /REFRESH/, /^holdfast_drill_/)
    await system.call('POST', `/v1/operations/${operation}/cancel`)
    expect(await finished(system, operation, 10_000)).toMatchObject({ state: 'cancelled' })
    expect(await get(id)).toMatchObject({ status: 'completed' })
  })

  it('that nobody tidied up are swept and reported, and those of others are not', async () => {
    await add('swept', SHOP)
    const over = await carryOut(system, '/v1/backups', { target: 'swept' })
    const name = (id: string) => `holdfast_drill_${id.replaceAll('-', '')}`
    const [ours, foreign] = [name(over.id), name('01890000-0000-7000-8000-00000000000a')]
    for (const database of [ours, foreign]) await server.createDatabase(database)
    await server.createDatabase('holdfast_drill_of_somebody')
    await sweepNow(system)
    expect(await ourDatabases(server)).toEqual([foreign, 'holdfast_drill_of_somebody'])
    expect(system.output()).toMatch(new RegExp(`"level":40.*${ours}.*removed what an operation had left`))
    for (const database of [foreign, 'holdfast_drill_of_somebody']) {
      await server.sql('postgres', `DROP DATABASE ${database}`)
    }
  })
})
