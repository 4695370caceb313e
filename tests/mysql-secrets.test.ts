import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectRedis } from '@holdfast/queue'
import type { MariadbAccount, MariadbServer } from '@holdfast/testing'
import { mysqlName, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, outcomeOf } from './support/operations.ts'
import type { Secret } from './support/secret-search.ts'
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
  body: letters(),
  comment: letters(),
  'account password': letters(),
}
const PASSWORD = `pw "$(id)"'\\/+%&=?#@:;\` é\t☃ ${CORES.password} %41 \\s `
const OWNER = `us'er "x" \\ @:/?#%&= é`
const DATABASE = `-x 'shop' "of" \\ @:/?#%&= é`

const CONTENT = `
  CREATE TABLE cards (id INT PRIMARY KEY, number VARCHAR(60), CHECK (number <> 'check ${CORES.body}'));
  INSERT INTO cards SELECT seq, 'card ${CORES.row}' FROM seq_1_to_200;
  CREATE TABLE notes (note VARCHAR(60) DEFAULT 'default ${CORES.body}') COMMENT 'table ${CORES.comment}';
  CREATE VIEW few AS SELECT id, 'view ${CORES.body}' AS said FROM cards WHERE id < 9;
  CREATE FUNCTION said () RETURNS VARCHAR(60) DETERMINISTIC NO SQL RETURN 'function ${CORES.body}';
  CREATE TRIGGER noted BEFORE DELETE ON cards FOR EACH ROW INSERT INTO notes VALUES ('trigger ${CORES.body}');
  CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO INSERT INTO notes VALUES ('event ${CORES.body}');
  ALTER DATABASE ${mysqlName(DATABASE)} COMMENT 'of a schema ${CORES.comment}'`
/**
 * Two rows are the same in a dump, so that nobody can load it. The server says so with what is in them, since they are
 * not in the first statement of rows: of those it says nothing.
 */
const BRITTLE = `
  CREATE TABLE cards (number VARCHAR(99), price FLOAT, UNIQUE KEY (number, price));
  INSERT INTO cards SELECT CONCAT(seq, REPEAT('x', 60)), 1 FROM seq_1_to_18000;
  INSERT INTO cards VALUES ('y card ${CORES.row}', 16777214), ('y card ${CORES.row}', 16777215)`

describe('a secret of a MariaDB database', { timeout: 120_000 }, () => {
  let system: System
  let server: MariadbServer
  let owner: MariadbAccount
  let secrets: readonly Secret[]
  let processes: { readonly looks: number; readonly found: readonly string[] }
  const answers: string[] = []
  const operationIds: string[] = []

  beforeAll(async () => {
    server = await startMariadb()
    owner = await server.createAccount({ name: OWNER, password: PASSWORD })
    await server.sql(null, 'GRANT ALL ON *.* TO ?@? WITH GRANT OPTION', [owner.name, owner.host])
    const clerk = await server.createAccount({ name: 'clerk', password: CORES['account password'] })
    const [known] = await server.sql(null, 'SELECT PASSWORD(?) AS hash', [clerk.password])
    for (const [name, content] of [
      [DATABASE, CONTENT],
      ['brittle', BRITTLE],
    ] as const) {
      await server.createDatabase(name)
      await server.sql(name, content)
    }
    secrets = [
      secret('password', PASSWORD),
      secret('account hash', String(known?.hash).slice(1)),
      ...Object.entries(CORES).map(([what, core]) => secret(what, core)),
    ]
    // from here on it writes down everything that it is told
    await server.sql(
      null,
      "SET GLOBAL log_output = 'FILE', GLOBAL general_log_file = 'told', GLOBAL general_log = ON",
    )
    system = await startSystem({ env: { HOLDFAST_LOG_LEVEL: 'debug' } })
    const watch = watchProcesses(secrets, () => [system.api.pid, ...system.workers.map(({ pid }) => pid)])
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
    expect(
      (await call('POST', '/v1/targets', { name: 'shop', url: server.urlOf(DATABASE, owner) })).status,
    ).toBe(201)
    expect((await call('POST', '/v1/targets/shop/check')).status).toBe(200)
    for (const globals of ['with-passwords', 'without-passwords']) {
      const asked = { target: 'shop', globals, compression: 'none', verify: 'restore' }
      expect(await carryOut('/v1/backups', asked), globals).toMatchObject({ error: null })
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

  /** What fails says why, and MariaDB says it with the row, the statement or the account that it failed at. */
  async function provokeFailures(): Promise<void> {
    await call('POST', '/v1/targets', { name: 'brittle', url: server.urlOf('brittle', owner) })
    const { backupId } = await carryOut('/v1/backups', { target: 'brittle', compression: 'none' })
    const detail = expect.stringMatching(/same value in a unique key.*1062.*cards/)
    const failed = { state: 'failed', error: { code: 'VERIFICATION_FAILED', detail } }
    const into = { url: server.urlOf('never', owner) }
    expect(await carryOut(`/v1/backups/${backupId}/restore`, { into, dryRun: false })).toMatchObject(failed)
    expect(await carryOut(`/v1/backups/${backupId}/verify`, { level: 'restore' })).toMatchObject(failed)
    await server.sql(
      'brittle',
      `CREATE VIEW broken AS SELECT number, 'view ${CORES.body}' AS said FROM cards; DROP TABLE cards`,
    )
    expect((await carryOut('/v1/backups', { target: 'brittle' })).error.code).toBe('DATABASE_INVALID')
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
      expect((await call('POST', '/v1/targets', { name: 'bad', url: bad })).status).toBe(422)
      await call('POST', `/v1/backups/${backupId}/restore`, { into: { url: bad } })
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

  it('is told the server in the statements that need it only', async () => {
    const told = await readFile(join(server.directory, 'data', 'told'))
    expect(secretsIn(told, secrets)).toEqual(['row', 'body', 'comment'])
    expect(secretsIn(Buffer.from(await server.log()), secrets)).toEqual([])
  })

  it('is in no command line and no environment', () => {
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
    const places = found.map((line) =>
      line.replace(/(?:shop|brittle)\/[0-9a-f-]{36}\//, '').replace(/-\d+\./, '.'),
    )
    expect([...new Set(places)].toSorted()).toEqual(
      [
        ...['contents.json: body', 'contents.json: comment'],
        ...['data.sql: body', 'data.sql: comment', 'data.sql: row'],
        ...['globals.sql: account hash', 'settings.sql: comment'],
      ].map((file) => `data/storage/${file}`),
    )
  })

  it('is kept out of the globals as far as it was asked for', async () => {
    const { body: backups } = await system.call('GET', '/v1/backups?target=shop')
    const withHash = backups.items.map(async ({ storagePath }: { storagePath: string }) => {
      const [globals = ''] = (await readdir(storagePath)).filter((file) => file.startsWith('globals-'))
      const text = await readFile(join(storagePath, globals), 'utf8')
      expect(text).toContain('CREATE USER IF NOT EXISTS `clerk`')
      return secretsIn(Buffer.from(text), secrets).includes('account hash')
    })
    expect((await Promise.all(withHash)).toSorted()).toEqual([false, true])
  })
})
