import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectRedis } from '@holdfast/queue'
import type { PostgresRole, PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, outcomeOf } from './support/operations.ts'
import type { EnvironmentRule, Secret } from './support/secret-search.ts'
import { secret, secretsBelow, secretsIn, watchProcesses } from './support/secret-search.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** Whatever a leak may do to a text, its letters stay together. */
const letters = () => randomBytes(12).toString('hex')
const CORES = {
  password: letters(),
  'wrong password': letters(),
  row: letters(),
  setting: letters(),
  'role setting': letters(),
  'role password': letters(),
  'mapping password': letters(),
}
const PASSWORD = `pw "$(id)"'\\/+%&=?#@:;\` é\t☃ ${CORES.password} %41 `
const OWNER = `ro'le "x" \\ @:/?#%&= é`
const DATABASE = `-Fc 'shop' "of" \\ @:/?#%&= é`

/** Of these a program of PostgreSQL is told one, which nobody but its own user can read there. */
const mayHavePassword: EnvironmentRule = (command, entries) =>
  /\/(?:pg_dump|pg_dumpall|pg_restore|psql)\0/.test(command)
    ? entries.filter((entry) => !entry.startsWith('PGPASSWORD='))
    : entries

const name = pg.escapeIdentifier(DATABASE)
const CONTENT = `
  CREATE FUNCTION public.is_fine(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN coalesce(current_setting('shop.strict', true), '') <> 'on'; END $$;
  CREATE TABLE public.cards (id int PRIMARY KEY, number text CHECK (public.is_fine(number)));
  INSERT INTO public.cards SELECT n, 'card ${CORES.row} ' || n FROM generate_series(1, 200) n;
  ALTER DATABASE ${name} SET app.secret = 'it''s ${CORES.setting}';
  CREATE ROLE clerk LOGIN PASSWORD '${CORES['role password']}';
  ALTER ROLE clerk IN DATABASE ${name} SET app.secret = '${CORES['role setting']}';
  CREATE EXTENSION postgres_fdw;
  CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
  CREATE USER MAPPING FOR clerk SERVER far OPTIONS (user 'x', password '${CORES['mapping password']}')`

describe('a secret of a PostgreSQL database', { timeout: 120_000 }, () => {
  let system: System
  let server: PostgresServer
  let owner: PostgresRole
  let secrets: readonly Secret[]
  let processes: { readonly looks: number; readonly found: readonly string[] }
  const answers: string[] = []
  const operationIds: string[] = []

  beforeAll(async () => {
    // it writes down why it refuses, as servers do unless they are told otherwise
    server = await startPostgres({ settings: { log_min_messages: 'warning' } })
    owner = await server.createRole({ name: OWNER, password: PASSWORD, attributes: 'SUPERUSER' })
    await server.createDatabase(DATABASE, `OWNER ${pg.escapeIdentifier(OWNER)}`)
    await server.sql(DATABASE, CONTENT)
    system = await startSystem({ env: { HOLDFAST_LOG_LEVEL: 'debug' } })
    secrets = [
      secret('password', PASSWORD),
      ...Object.entries(CORES).map(([what, core]) => secret(what, core)),
    ]
    const pids = () => [system.api.pid, ...system.workers.map(({ pid }) => pid)]
    const watch = watchProcesses(secrets, pids, mayHavePassword)
    await useEverything()
    await provokeFailures()
    await walkEveryPage()
    processes = await watch.stop()
  }, 180_000)
  afterAll(async () => {
    await system?.stop()
    await server?.stop()
  })

  async function call(method: string, path: string, body?: unknown) {
    const answer = await system.call(method, path, body)
    answers.push(`${method} ${path} ${JSON.stringify([...answer.headers])} ${JSON.stringify(answer.body)}`)
    return answer
  }

  async function carryOut(path: string, body?: object) {
    const id = await ask(system, path, body)
    operationIds.push(id)
    return outcomeOf(system, id)
  }

  async function useEverything(): Promise<void> {
    const url = server.urlOf(DATABASE, owner)
    expect((await call('POST', '/v1/targets', { name: 'shop', url })).status).toBe(201)
    expect((await call('POST', '/v1/targets/shop/check')).status).toBe(200)
    for (const format of ['custom', 'plain', 'directory', 'tar']) {
      const globals = format === 'plain' ? 'with-passwords' : 'without-passwords'
      const asked = { target: 'shop', format, globals, compression: 'none', verify: 'restore' }
      expect(await carryOut('/v1/backups', asked), format).toMatchObject({ error: null })
    }
    const { body: latest } = await call('GET', '/v1/backups/latest?target=shop')
    const path = `/v1/backups/${latest.id}/restore`
    const into = { into: { url: server.urlOf(`copy of ${DATABASE}`, owner) } }
    expect(await carryOut(path, into)).toMatchObject({ error: null })
    expect(await carryOut(path, { ...into, dryRun: false })).toMatchObject({ error: null })
    const consent = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    const restored = await carryOut(path, consent)
    expect(restored).toMatchObject({ state: 'completed', error: null })
    expect(await carryOut(`/v1/operations/${restored.id}/undo`)).toMatchObject({ error: null })
  }

  /** What fails says why, and PostgreSQL says it with the row, the statement or the connection that it failed at. */
  async function provokeFailures(): Promise<void> {
    const { body: latest } = await call('GET', '/v1/backups/latest?target=shop')
    await server.sql('postgres', `ALTER ROLE ${pg.escapeIdentifier(OWNER)} SET "shop.strict" = 'on'`)
    for (const { id } of (await call('GET', '/v1/backups?target=shop')).body.items) {
      const failed = { state: 'failed', error: { code: 'VERIFICATION_FAILED' } }
      const into = { url: server.urlOf('never', owner) }
      expect(await carryOut(`/v1/backups/${id}/restore`, { into, dryRun: false })).toMatchObject(failed)
      expect(await carryOut(`/v1/backups/${id}/verify`, { level: 'restore' })).toMatchObject(failed)
    }
    await server.sql('postgres', `ALTER ROLE ${pg.escapeIdentifier(OWNER)} RESET "shop.strict"`)
    const wrong = { ...owner, password: CORES['wrong password'] }
    await call('POST', '/v1/targets', { name: 'wrong', url: server.urlOf(DATABASE, wrong) })
    expect((await call('POST', '/v1/targets/wrong/check')).status).toBe(422)
    const denied = await carryOut('/v1/backups', { target: 'wrong' })
    expect(denied.error).toMatchObject({ code: 'DATABASE_ACCESS_DENIED' })
    const missing = server.urlOf('missing', owner)
    await call('POST', '/v1/targets', { name: 'missing', url: missing })
    expect((await carryOut('/v1/backups', { target: 'missing' })).error.code).toBe('DATABASE_NOT_FOUND')
    for (const bad of [
      `${missing}?sslpassword=${CORES.password}`,
      `${missing}?${CORES.password}=1`,
      `${missing}#x`,
    ]) {
      await call('POST', '/v1/targets', { name: 'bad', url: bad })
      await call('POST', `/v1/backups/${latest.id}/restore`, { into: { url: bad } })
    }
  }

  async function walkEveryPage(): Promise<void> {
    const { body: backups } = await call('GET', '/v1/backups?limit=200')
    const { body: openapi } = await call('GET', '/openapi.json')
    for (const [template, methods] of Object.entries<object>(openapi.paths)) {
      if (!('get' in methods) || /events$|download/.test(template)) continue
      const ids = template.includes('operations/{') ? operationIds : [backups.items[0].id]
      for (const id of ids) await call('GET', template.replace('{name}', 'shop').replace(/\{\w+\}/, id))
    }
    for (const queue of ['backup', 'restore', 'verify']) {
      await call('GET', `/queues/api/queues?activeQueue=${queue}&page=1&jobsPerPage=100`)
    }
  }

  it('is in no answer of the API', () => {
    expect(answers.length).toBeGreaterThan(40)
    expect(answers.filter((answer) => secretsIn(Buffer.from(answer), secrets).length > 0)).toEqual([])
  })

  it('is in no output of any process', () => {
    const lines = system.output().split('\n')
    expect(lines.filter((line) => secretsIn(Buffer.from(line), secrets).length > 0)).toEqual([])
  })

  it('was told by the server, which shows what could have gone further', async () => {
    expect(secretsIn(Buffer.from(await server.log()), secrets)).toEqual(['row'])
  })

  it('is in no command line, and in an environment only where PostgreSQL asks for a password', () => {
    expect(processes.looks).toBeGreaterThan(20)
    expect(processes.found).toEqual([])
  })

  it('is in no key and no value of Redis', async () => {
    const redis = connectRedis(system.redis.url, 'worker', SILENT)
    for (const key of await redis.keys('*')) {
      const value = (await redis.dumpBuffer(key)) ?? Buffer.alloc(0)
      expect(secretsIn(Buffer.concat([Buffer.from(`${key}\n`), value]), secrets), key).toEqual([])
    }
    redis.disconnect()
  })

  it('lies in no file but those of the backup that are there to keep it', async () => {
    const found = await secretsBelow(system.directory, secrets)
    const lines = found.map((line) =>
      line
        .replace(/shop\/[0-9a-f-]{36}\//, '')
        .replace(/-\d+\./, '.')
        .split(': '),
    )
    const [files, names] = [0, 1].map((part) => [...new Set(lines.map((line) => line[part]))].toSorted())
    expect(files).toEqual(
      ['data.dir.tar', 'data.dump', 'data.sql', 'data.tar', 'settings.sql'].map(
        (file) => `data/storage/${file}`,
      ),
    )
    expect(names).toEqual(['mapping password', 'role setting', 'row', 'setting'])
  })

  it('is kept out of the globals as far as it was asked for', async () => {
    const { body: backups } = await system.call('GET', '/v1/backups?target=shop')
    for (const { format, storagePath } of backups.items) {
      const [globals = ''] = (await readdir(storagePath)).filter((file) => file.startsWith('globals-'))
      const text = await readFile(join(storagePath, globals), 'utf8')
      expect(text).toContain('CREATE ROLE clerk')
      expect(text.includes('SCRAM-SHA-256$'), format).toBe(format === 'plain')
    }
  })
})
