import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import { startPrivateRedis } from '@holdfast/queue/private-redis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Service } from './start-service.ts'
import { StartFailure, startService } from './start-service.ts'
import { isAlive, until } from './testing/processes.ts'

/** Stands in for the API: ready when the worker has started, tells its environment, dies on request. */
const API = `
  import { createServer } from 'node:http'
  import { appendFileSync, existsSync } from 'node:fs'
  const dir: string = process.env.HOLDFAST_DATA_DIR ?? ''
  appendFileSync(dir + '/pids', process.pid + ' ')
  const server = createServer((request, response) => {
    if (request.url === '/crash') process.exit(1)
    if (request.url === '/readyz' && !existsSync(dir + '/worker')) response.statusCode = 503
    response.end(request.url === '/readyz' ? 'no worker' : JSON.stringify(process.env))
  })
  server.listen(Number(process.env.HOLDFAST_PORT), process.env.HOLDFAST_HOST ?? '127.0.0.1')
  process.on('SIGTERM', () => process.exit(0))
`
const WORKER = `
  import { appendFileSync, writeFileSync } from 'node:fs'
  const dir: string = process.env.HOLDFAST_DATA_DIR ?? ''
  appendFileSync(dir + '/pids', process.pid + ' ')
  writeFileSync(dir + '/worker', process.env.HOLDFAST_REDIS_URL ?? '')
  console.log('worker speaks')
  setInterval(() => {}, 1000)
`

let root: string
let dataDir: string
let running: Service[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-service-'))
  dataDir = join(root, 'data')
  running = []
  await place('api', API)
  await place('worker', WORKER)
})

afterEach(async () => {
  await Promise.all(running.map((service) => service.stop()))
  await rm(root, { recursive: true, force: true })
})

async function place(app: string, program: string): Promise<void> {
  await mkdir(join(root, 'apps', app, 'src'), { recursive: true })
  await writeFile(join(root, 'apps', app, 'src', 'main.ts'), program)
}

function environment(more: Environment = {}): Environment {
  return { PATH: process.env.PATH, HOLDFAST_DATA_DIR: dataDir, HOLDFAST_PORT: '0', ...more }
}

async function start(more: Environment = {}): Promise<Service> {
  const service = await startService({
    env: environment(more),
    root,
    logFile: join(root, 'log'),
    readyTimeoutMs: 30_000,
  })
  running.push(service)
  return service
}

async function failure(more: Environment = {}): Promise<unknown> {
  return await start(more).catch((error: unknown) => error)
}

function pids(): number[] {
  const file = join(dataDir, 'pids')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').map(Number) : []
}

/** Starts a Redis in the data directory and stops it: possible only if no other one is left there. */
async function redisIsGone(): Promise<void> {
  await (await startPrivateRedis({ dir: dataDir })).stop()
}

function redisPid(): number {
  const log = readFileSync(join(dataDir, 'redis', 'redis.log'), 'utf8')
  return Number(/pid=(\d+)/.exec(log)?.[1])
}

async function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  return await new Promise<boolean>((resolve) => {
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

describe('the service', () => {
  it('says in words that the data directory cannot be used', async () => {
    await writeFile(dataDir, 'a file')
    const error = await failure()
    expect(error).toBeInstanceOf(StartFailure)
    expect(String(error)).toContain(`cannot use the data directory ${dataDir}`)
    expect(String(error)).toContain('HOLDFAST_DATA_DIR')
  })

  it('is ready when the API says so, and gives both parts the address of its own Redis', async () => {
    const service = await start()
    const env = await (await fetch(service.apiUrl)).json()
    expect(env).toMatchObject({ HOLDFAST_REDIS_URL: service.redisUrl, HOLDFAST_DATA_DIR: dataDir })
    expect(readFileSync(join(dataDir, 'worker'), 'utf8')).toBe(service.redisUrl)
    expect(readFileSync(join(root, 'log'), 'utf8')).toContain('worker speaks')
  })

  it('leaves nothing running and can be started again', async () => {
    const service = await start()
    await service.stop()
    expect(pids().filter(isAlive)).toEqual([])
    await redisIsGone()
    await start()
  })

  it('stops within ten seconds although a part ignores the request', async () => {
    await place('worker', `${WORKER}; process.on('SIGTERM', () => {})`)
    const service = await start()
    const startedAt = performance.now()
    await service.stop()
    expect(performance.now() - startedAt).toBeLessThan(9_500)
    expect(pids().filter(isAlive)).toEqual([])
    await redisIsGone()
  })

  it('starts again what was killed: the API, and Redis at the same address', async () => {
    const service = await start()
    await fetch(`${service.apiUrl}/crash`).catch(() => {})
    await until(async () => (await fetch(`${service.apiUrl}/readyz`).catch(() => null))?.ok === true)

    const killed = redisPid()
    process.kill(killed, 'SIGKILL')
    await until(() => redisPid() !== killed && isListening(service.redisUrl))
  })

  it('uses the Redis that is configured and starts none', async () => {
    const other = await startPrivateRedis({ dir: join(root, 'other') })
    try {
      const service = await start({ HOLDFAST_REDIS_URL: other.url })
      expect(service.redisUrl).toBe(other.url)
      expect(existsSync(join(dataDir, 'redis'))).toBe(false)
    } finally {
      await other.stop()
    }
  })

  it('fails with the reason, leaving nothing, when a part refuses its configuration', async () => {
    await place('worker', `${WORKER}; process.exit(78)`)
    await place('api', API.replace('response.statusCode = 503', '').replace("'/readyz'", "'/never'"))
    await place('api', API.replace("existsSync(dir + '/worker')", 'false'))
    const error = await failure()
    expect(error).toBeInstanceOf(StartFailure)
    expect(String(error)).toContain('worker exited with code 78')
    expect(pids().filter(isAlive)).toEqual([])
    await redisIsGone()
  })

  it('names every problem of its configuration before anything is started', async () => {
    const error = await failure({ HOLDFAST_PORT: 'many', HOLDFAST_REDIS_URL: 'ftp://x' })
    expect(hasCode(error, 'INVALID_CONFIGURATION')).toBe(true)
    expect(String(error)).toContain('HOLDFAST_PORT must be')
    expect(String(error)).toContain('HOLDFAST_REDIS_URL must be')
    expect(existsSync(dataDir)).toBe(false)
  })

  it('says so when another program listens on its port', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const error = await failure({ HOLDFAST_PORT: String(port) })
    server.close()
    expect(String(error)).toContain(`cannot listen on 127.0.0.1:${port}: another program listens there`)
    expect(existsSync(dataDir)).toBe(false)
  })

  it('gives up, leaving nothing, when it is not ready in time or told to stop', async () => {
    await place('worker', 'setInterval(() => {}, 1000)')
    const late = await startService({
      env: environment(),
      root,
      logFile: join(root, 'log'),
      readyTimeoutMs: 1_500,
    }).catch((error: unknown) => error)
    expect(String(late)).toContain('not ready after 1500 ms: 503 no worker')

    const aborted = await startService({
      env: environment(),
      root,
      logFile: join(root, 'log'),
      signal: AbortSignal.timeout(1_000),
    }).catch((error: unknown) => error)
    expect(aborted).toMatchObject({ name: 'TimeoutError' })
    expect(pids().filter(isAlive)).toEqual([])
    await redisIsGone()
  })

  it('ends with its supervisor when that is killed', async () => {
    const program = `
      import { startService } from ${JSON.stringify(new URL('./start-service.ts', import.meta.url).href)}
      await startService(${JSON.stringify({ env: environment(), root, logFile: join(root, 'log') })})
      process.stdout.write('ready')
    `
    const supervisor = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(supervisor.stdout, 'data')
    expect(pids()).toHaveLength(2)
    supervisor.kill('SIGKILL')
    await until(() => pids().every((pid) => !isAlive(pid)))
    await redisIsGone()
  })
})
