import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PrivateRedis } from '@holdfast/queue'
import { startPrivateRedis } from '@holdfast/queue'

const API = fileURLToPath(new URL('../../apps/api/src/main.ts', import.meta.url))
const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url))
const READY_MS = 30_000

/** One process of the service, with everything it has printed. */
export interface ServiceProcess {
  readonly pid: number
  readonly child: ChildProcess
  output(): string
  /** Ends it by this signal and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
}

/** A whole service on private everything, as `npm start` would run it, but with each process in reach. */
export interface System {
  readonly directory: string
  readonly dataDir: string
  readonly url: string
  readonly apiKey: string
  readonly redis: PrivateRedis
  readonly env: Readonly<Record<string, string>>
  readonly api: ServiceProcess
  readonly workers: readonly ServiceProcess[]
  startWorker(entry?: string, env?: Readonly<Record<string, string>>): ServiceProcess
  startApi(entry?: string, env?: Readonly<Record<string, string>>): ServiceProcess
  /** Ends Redis; what it has acknowledged stays. */
  redisDown(): Promise<void>
  /** Starts it again, with its data, on its port. */
  redisUp(): Promise<void>
  /** Waits until the API says that the service can work. */
  ready(): Promise<void>
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /** Everything that any process of the system printed. */
  output(): string
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // the tests look into answers of every shape
  // biome-ignore lint/suspicious/noExplicitAny: a typed view of each answer would only repeat the schemas
  readonly body: any
}

/** What a system is like. */
export interface SystemOptions {
  readonly workers?: number
  readonly env?: Readonly<Record<string, string>>
  /** The program of the API, and that of the workers that are started first. */
  readonly entries?: { readonly api?: string; readonly worker?: string }
  /** Redis is down at the start, so that nothing becomes ready. */
  readonly redisDown?: boolean
}

/** Starts Redis, the API and as many workers as asked for, and waits until the API says that it is ready. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-system-'))
  const dataDir = options.env?.HOLDFAST_DATA_DIR ?? join(directory, 'data')
  const redisPlace = { dir: join(directory, 'redis') }
  let redis = await startPrivateRedis(redisPlace)
  if (options.redisDown === true) await redis.stop()
  const port = await freePort()
  const apiKey = `hf_${randomBytes(32).toString('base64url')}`
  const env = {
    HOLDFAST_DATA_DIR: dataDir,
    HOLDFAST_REDIS_URL: redis.url,
    HOLDFAST_PORT: String(port),
    HOLDFAST_API_KEY: apiKey,
    HOLDFAST_LEASE_MS: '2000',
    HOLDFAST_PATH_ROOTS: directory,
    ...options.env,
  }
  const processes: ServiceProcess[] = []
  const workers: ServiceProcess[] = []
  const launch = (entry: string, more: Readonly<Record<string, string>> = {}) => {
    const started = startProcess(entry, { ...env, ...more })
    processes.push(started)
    return started
  }
  const startWorker: System['startWorker'] = (entry = options.entries?.worker ?? WORKER, more = {}) => {
    const worker = launch(entry, more)
    workers.push(worker)
    return worker
  }
  const startApi: System['startApi'] = (entry = options.entries?.api ?? API, more = {}) => launch(entry, more)
  const api = startApi()
  for (let index = 0; index < (options.workers ?? 1); index += 1) startWorker()
  const url = `http://127.0.0.1:${port}`
  const output = () => processes.map((each) => each.output()).join('\n')
  const system: System = {
    ...{ directory, dataDir, url, apiKey, env, api, workers, startWorker, startApi, output },
    get redis() {
      return redis
    },
    redisDown: () => redis.stop(),
    async redisUp() {
      redis = await startPrivateRedis({ ...redisPlace, port: redis.port })
    },
    ready: () => waitUntilReady(url, output),
    call: (method, path, body, headers) => callApi({ url, apiKey, method, path, body, headers }),
    async stop() {
      await Promise.all(processes.map((each) => each.kill('SIGKILL')))
      await redis.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
  try {
    if ((options.workers ?? 1) > 0 && options.redisDown !== true) await system.ready()
    return system
  } catch (error) {
    await system.stop()
    throw error
  }
}

/** Waits until an operation is finished and returns it. */
export async function finished(system: System, operationId: string, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const { body } = await system.call('GET', `/v1/operations/${operationId}`)
    if (['completed', 'failed', 'cancelled'].includes(body.state)) return body
    if (Date.now() > deadline)
      throw new Error(`operation still ${body.state} (${body.phase}): ${system.output().slice(-4000)}`)
    await sleep(25)
  }
}

/** Runs one operation to its end and returns it; the request must be accepted. */
export async function carryOut(system: System, path: string, body: unknown) {
  const accepted = await system.call('POST', path, body)
  if (accepted.status !== 202)
    throw new Error(`not accepted: ${accepted.status} ${JSON.stringify(accepted.body)}`)
  return finished(system, accepted.body.id)
}

/** The URL of a database file. */
export function sqliteUrl(file: string): string {
  return `sqlite://${file.split('/').map(encodeURIComponent).join('/')}`
}

function startProcess(entry: string, env: Readonly<Record<string, string>>): ServiceProcess {
  const { PATH = '', HOME = '', TMPDIR, NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [entry], {
    env: { PATH, HOME, NODE_COMPILE_CACHE, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr.on('data', (chunk) => {
    printed += chunk
  })
  const gone = once(child, 'exit')
  return {
    pid: child.pid ?? -1,
    child,
    output: () => printed,
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill(signal)
      await gone
    },
  }
}

async function waitUntilReady(url: string, output: () => string): Promise<void> {
  const deadline = Date.now() + READY_MS
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    await answer?.arrayBuffer()
    if (answer?.status === 200) return
    if (Date.now() > deadline) throw new Error(`the service did not become ready:\n${output().slice(-8000)}`)
    await sleep(50)
  }
}

/** A request to an API, wherever it runs. */
export interface ApiRequest {
  readonly url: string
  readonly apiKey: string
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Asks an API as any client does. */
export async function callApi({ url, apiKey, method, path, body, headers }: ApiRequest): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json') ?? false
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
