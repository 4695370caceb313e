import { mkdir } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { seededRandom } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase } from './support/databases.ts'
import type { FuzzRequest, Pools } from './support/fuzz-requests.ts'
import { RequestMaker } from './support/fuzz-requests.ts'
import { isObject } from './support/fuzz-values.ts'
import type { System } from './support/system.ts'
import { carryOut, startSystem } from './support/system.ts'

const SEED = Number(process.env.HOLDFAST_TEST_SEED ?? 20_260_131)
const REQUESTS = 10_000
const AT_A_TIME = 8
const ANSWER_MS = 15_000
const FINISH_MS = 60_000

interface FuzzAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
}

let system: System
const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME })
beforeAll(async () => {
  system = await startSystem({ env: { HOLDFAST_RATE_LIMIT: '1000000', HOLDFAST_LOG_LEVEL: 'warn' } })
})
afterAll(async () => {
  agent.destroy()
  await system.stop()
})

describe(`${REQUESTS} requests made from the API's own description (seed ${SEED})`, () => {
  it('are all answered, without a server error, and at least a fifth is carried out', async () => {
    const pools: Pools = { targets: [], backups: [], operations: [], restores: [], keys: [] }
    await prepare(pools)
    const { body: document } = await system.call('GET', '/openapi.json')
    const { directory, apiKey } = system
    const maker = new RequestMaker({
      document,
      random: seededRandom(SEED),
      seed: SEED,
      pools,
      apiKey,
      directory,
    })
    const wrong: object[] = []
    const statuses = new Map<number, number>()
    const carriedOut = new Map<string, number>()
    let left = REQUESTS
    const run = async () => {
      for (; left > 0; ) {
        left -= 1
        const asked = maker.next()
        const answer = await send(asked).catch((error: unknown) => ({
          status: 0,
          type: '',
          text: String(error),
        }))
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        if (!isAcceptable(answer)) wrong.push({ asked, answer })
        if (answer.status >= 200 && answer.status < 300) {
          carriedOut.set(asked.operationId, (carriedOut.get(asked.operationId) ?? 0) + 1)
          remember(asked, answer, pools)
        }
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, run))

    expect(wrong.slice(0, 3), `${wrong.length} wrong of ${JSON.stringify([...statuses])}`).toEqual([])
    const probes = ['getHealth', 'getReadiness']
    const sum = [...carriedOut].reduce(
      (total, [id, count]) => (probes.includes(id) ? total : total + count),
      0,
    )
    expect(sum).toBeGreaterThan(REQUESTS / 5)
    // every call of the API was carried out at least once
    const calls = Object.values(document.paths).flatMap((methods) => Object.values(Object(methods)))
    const ids = calls.map((call) => String(Reflect.get(Object(call), 'operationId')))
    expect(ids.filter((id) => !carriedOut.has(id))).toEqual([])
    await expectAllFinished()
  }, 200_000)

  it('leave the service as it was: same processes, ready, nothing unexpected in the log', async () => {
    expect(system.api.child.exitCode).toBeNull()
    for (const worker of system.workers) expect(worker.child.exitCode).toBeNull()
    expect((await system.call('GET', '/readyz')).status).toBe(200)
    expect(system.output()).not.toContain('unexpected error')
    expect(Object.prototype).not.toHaveProperty('polluted')
  })
})

describe('what is no HTTP', () => {
  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['a method in lower case', 'get / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['a space in the path', 'GET /v1/tar gets HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['NUL in the path', 'GET /v1/\0 HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['NUL in a header', 'GET / HTTP/1.1\r\nhost: x\r\na: \0\r\n\r\n'],
    ['a very long path', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['a very long header', `GET / HTTP/1.1\r\nhost: x\r\na: ${'a'.repeat(100_000)}\r\n\r\n`],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a broken chunk', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n'],
    ['an absolute path', 'GET http://evil.example/v1/targets HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['an upgrade', 'GET /v1/events HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s is refused, and the next request is answered', async (_what, bytes) => {
    const answer = await sendRaw(bytes)
    expect(answer === '' || /^HTTP\/1\.1 4\d\d /.test(answer), answer.slice(0, 100)).toBe(true)
    expect((await system.call('GET', '/healthz')).status).toBe(200)
  })
})

async function prepare(pools: Pools): Promise<void> {
  await mkdir(join(system.directory, 'included'))
  for (let index = 0; index < 6; index += 1) {
    makeDatabase(join(system.directory, `fuzz-${index}.db`), 'fuzzed', 50)
    const name = `live-${index}`
    const body = { name, url: `sqlite://${system.directory}/fuzz-${index}.db` }
    expect((await system.call('POST', '/v1/targets', body)).status).toBe(201)
    pools.targets.push(name)
    const taken = await carryOut(system, '/v1/backups', { target: name })
    pools.backups.push(taken.backupId)
    const restore = { into: { target: name }, dryRun: false, overwrite: true, confirm: name }
    const restored = await carryOut(system, `/v1/backups/${taken.backupId}/restore`, restore)
    expect(restored.state).toBe('completed')
    pools.restores.push(restored.id)
  }
}

function isAcceptable({ status, type, text }: FuzzAnswer): boolean {
  if (status < 200 || status > 499) return false
  // what the HTTP parser refuses never becomes a request
  const isProblem = type.includes('application/problem+json') || text === '' || status === 431
  return status < 400 || isProblem
}

function remember(asked: FuzzRequest, answer: FuzzAnswer, pools: Pools): void {
  if (asked.method === 'HEAD' || !answer.type.includes('json') || answer.text === '') return
  const body: unknown = JSON.parse(answer.text)
  const field = (name: string) => (isObject(body) && typeof body[name] === 'string' ? [body[name]] : [])
  if (asked.operationId === 'registerTarget') pools.targets.push(...field('name'))
  if (asked.operationId === 'createKey') pools.keys.push(...field('name'))
  if (answer.status === 202) {
    pools.operations.push(...field('id'))
    pools.backups.push(...field('backupId'))
  }
}

/** Sends a request as it is, without the repairs that friendlier clients make. */
function send({ method, path, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
  const url = new URL(system.url)
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const asked = request({
      host: url.hostname,
      port: url.port,
      agent,
      method,
      path,
      headers: { ...length, ...headers },
    })
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS)
    asked.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    asked.on('response', (response) => {
      let text = ''
      const finish = () => {
        clearTimeout(timer)
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text })
      }
      response.on('end', finish).on('error', finish)
      response.on('data', (chunk) => {
        text += String(chunk)
        // a stream of events has no end of its own
        if (response.headers['content-type'] === 'text/event-stream') response.destroy()
      })
      response.on('close', finish)
    })
    asked.end(body)
  })
}

function sendRaw(bytes: string): Promise<string> {
  const { hostname, port } = new URL(system.url)
  return new Promise((resolve) => {
    let received = ''
    const socket = connect({ host: hostname, port: Number(port) })
    socket.setTimeout(3_000, () => socket.destroy())
    socket.on('data', (chunk) => {
      received += String(chunk)
    })
    socket.on('error', () => undefined).on('close', () => resolve(received))
    socket.end(Buffer.from(bytes, 'latin1'))
  })
}

async function expectAllFinished(): Promise<void> {
  const deadline = Date.now() + FINISH_MS
  for (;;) {
    const { body } = await system.call('GET', '/v1/stats')
    const { queued, waiting, running, completed } = body.operations
    if (queued + waiting + running === 0) return expect(completed).toBeGreaterThan(20)
    if (Date.now() > deadline) throw new Error(`unfinished: ${JSON.stringify(body.operations)}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
