import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Configuration, Environment, Role, WorkDeps } from '@holdfast/core'
import {
  backupHandler,
  loadConfiguration,
  lockKeyOf,
  ROLES,
  restoreHandler,
  retentionHandler,
  verifyHandler,
} from '@holdfast/core'
import { startOperationWorkers } from '@holdfast/queue'
import type { TestRedis } from '@holdfast/queue/testing'
import { startTestRedis } from '@holdfast/queue/testing'
import type { Api, ApiDeps } from '../app.ts'
import { buildApp } from '../app.ts'
import { hashKey, makeKey } from '../auth/key.ts'
import { compose } from '../compose.ts'
import { createLog } from '../log.ts'

export interface TestAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any
}

export interface TestCall {
  /** A key, or the name of one of the prepared ones; null for none. The admin's by default. */
  readonly key?: Role | 'revoked' | (string & {}) | null
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The whole API on private everything: real Redis, SQLite catalog, drivers and storage. */
export interface TestApi extends Api {
  readonly directory: string
  readonly redis: TestRedis
  readonly deps: ApiDeps
  readonly keys: Readonly<Record<Role | 'revoked', string>>
  call(method: string, url: string, call?: TestCall): Promise<TestAnswer>
  /** Everything logged so far. */
  logged(): string
  /** Makes a database with a table of three rows and returns its URL. */
  makeDatabase(name: string): string
  /** Real workers in this process. */
  startWorkers(): Promise<void>
  /** Asks for work and returns its operation once that is finished. */
  carryOut(url: string, body: unknown): Promise<TestAnswer>
  /** Listens on a free port and returns the address, for what needs a connection. */
  listen(): Promise<string>
  close(): Promise<void>
}

/** Starts it. `env` adds to the configuration of a private service, `alter` changes what has no variable. */
export async function startTestApi(
  env: Environment = {},
  alter: Partial<Pick<ApiDeps, 'heartbeatMs'>> = {},
): Promise<TestApi> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-api-'))
  const redis = await startTestRedis()
  const configuration = configurationOf(directory, redis.url, env)
  const { log, logged } = captureLog()
  const parts = await compose(configuration, log)
  const api = await buildApp({ ...parts.deps, ...alter })
  await api.app.ready()
  const keys = await makeKeys(parts.deps)
  const call = caller(api, keys)
  const closers: (() => Promise<void>)[] = []
  return {
    ...{ ...api, directory, redis, deps: parts.deps, keys, call, logged },
    makeDatabase: (name) => makeDatabase(join(directory, `${name}.db`)),
    async startWorkers() {
      const workers = await startWorkers(configuration, parts.deps)
      closers.push(() => workers.close({ graceMs: 0 }))
      await until(async () => (await call('GET', '/readyz', { key: null })).status === 200)
    },
    async carryOut(url, body) {
      const accepted = await call('POST', url, { body })
      if (accepted.status !== 202) return accepted
      return call('GET', `/v1/operations/${accepted.body.id}?wait=30`)
    },
    listen: () => api.app.listen({ host: '127.0.0.1', port: 0 }),
    async close() {
      for (const close of closers) await close()
      await api.app.close()
      await parts.close()
      await redis.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function configurationOf(directory: string, redisUrl: string, env: Environment): Configuration {
  const own = {
    HOLDFAST_DATA_DIR: join(directory, 'data'),
    HOLDFAST_REDIS_URL: redisUrl,
    HOLDFAST_PATH_ROOTS: directory,
    HOLDFAST_RATE_LIMIT: '1000000',
    HOLDFAST_LEASE_MS: '2000',
  }
  return loadConfiguration({ ...own, ...env }, directory)
}

function captureLog() {
  let lines = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines += String(chunk)
      done()
    },
  })
  return { log: createLog('debug', sink), logged: () => lines }
}

/** The workers that the worker process has, in this one. */
function startWorkers({ redisUrl, queues, leaseMs, keepReplacedHours }: Configuration, deps: ApiDeps) {
  const work: WorkDeps = { ...deps, keepReplacedHours }
  return startOperationWorkers({
    ...{ redisUrl, queues, leaseMs, concurrency: 4, clock: deps.clock, log: deps.log },
    catalog: deps.catalog,
    accept: deps,
    handlers: {
      backup: backupHandler(work),
      restore: restoreHandler(work),
      verify: verifyHandler(work),
      retention: retentionHandler(work),
    },
    lockKeyOf: (operation) => lockKeyOf(work, operation),
    sweep: async () => ({}),
  })
}

/** Waits until something is true; throws after ten seconds. */
export async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error('it did not become true')
    await sleep(20)
  }
}

function caller(api: Api, keys: TestApi['keys']): TestApi['call'] {
  return async (method, url, { key = 'admin', body, headers = {} } = {}) => {
    const secret = key === null ? null : key in keys ? Reflect.get(keys, key) : key
    const answer = await api.app.inject({
      // inject knows fewer methods than HTTP does
      method: method as 'GET',
      url,
      headers: {
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const isJson = String(answer.headers['content-type'] ?? '').includes('json')
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.payload,
      body: isJson && answer.payload !== '' ? JSON.parse(answer.payload) : null,
    }
  }
}

async function makeKeys({ catalog }: Pick<ApiDeps, 'catalog'>): Promise<TestApi['keys']> {
  const add = async (name: string, role: Role) => {
    const key = makeKey()
    await catalog.keys.add({ name, role, sha256: hashKey(key) })
    return key
  }
  const [viewer, operator, admin] = await Promise.all(ROLES.map((role) => add(`test-${role}`, role)))
  const revoked = await add('test-revoked', 'admin')
  await catalog.keys.revoke('test-revoked')
  if (!viewer || !operator || !admin) throw new Error('a key for each role')
  return { viewer, operator, admin, revoked }
}

function makeDatabase(file: string): string {
  const database = new DatabaseSync(file)
  database.exec(
    "pragma journal_mode = wal; create table notes (id integer primary key, text); insert into notes (text) values ('a'), ('b'), ('c')",
  )
  database.close()
  return `sqlite://${file}`
}
