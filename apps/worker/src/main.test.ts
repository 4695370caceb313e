import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestRedis } from '@holdfast/queue/testing'
import { startTestRedis } from '@holdfast/queue/testing'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const READY_MS = 20_000

let redis: TestRedis
let directory: TemporaryDirectory
let started: WorkerProcess[]

beforeAll(async () => {
  redis = await startTestRedis()
})

beforeEach(async () => {
  await redis.flush()
  directory = await makeTemporaryDirectory('worker')
  started = []
})

afterEach(async () => {
  await Promise.all(started.map((worker) => worker.end('SIGKILL')))
  await directory.remove()
})

afterAll(() => redis.close())

describe('a worker process', () => {
  it('says in one message what is wrong with its configuration, and ends with 78', async () => {
    const worker = start({ HOLDFAST_LEASE_MS: 'canary-soon', HOLDFAST_QUEUES: 'canary-all' })
    assert.equal(await worker.exitCode(), 78)
    assert.match(worker.output(), /HOLDFAST_LEASE_MS must be .*\nHOLDFAST_QUEUES must be /)
    assert.doesNotMatch(worker.output(), /canary|at .*\.ts/)
  })

  it('is ready when it can work, and ends with 0 on SIGTERM', async () => {
    const worker = start()
    await worker.probe(200)
    const stoppedAt = performance.now()
    await worker.end('SIGTERM')
    assert.ok(performance.now() - stoppedAt < 10_000)
    assert.equal(await worker.exitCode(), 0)
  })

  it('waits for a Redis that is absent, not ready, and ends all the same when asked', async () => {
    await redis.down()
    const worker = start()
    await worker.probe(503)
    await worker.end('SIGTERM')
    assert.equal(await worker.exitCode(), 0)
    const second = start()
    await second.probe(503)
    await redis.up()
    await second.probe(200)
    assert.doesNotMatch(worker.output() + second.output(), new RegExp(new URL(redis.url).password))
  })

  it('refuses the Redis of another catalog, and says what to do', async () => {
    await redis.client.set('{holdfast}:catalog', 'another')
    const worker = start()
    assert.equal(await worker.exitCode(), 1)
    assert.match(worker.output(), /this Redis holds the jobs of another catalog\ngive each catalog/)
  })
})

interface WorkerProcess {
  output(): string
  exitCode(): Promise<number | null>
  /** Waits until `/readyz` answers with this status. */
  probe(status: number): Promise<void>
  end(signal: NodeJS.Signals): Promise<void>
}

function start(env: Readonly<Record<string, string>> = {}): WorkerProcess {
  const child: ChildProcess = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH,
      HOLDFAST_DATA_DIR: directory.path,
      HOLDFAST_REDIS_URL: redis.url,
      HOLDFAST_WORKER_PORT: '0',
      HOLDFAST_LEASE_MS: '2000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const closed = once(child, 'close')
  const worker: WorkerProcess = {
    output: () => output,
    async exitCode() {
      await closed
      return child.exitCode
    },
    async probe(status) {
      const deadline = performance.now() + READY_MS
      for (let last = 0; last !== status; last = await readiness(output)) {
        if (performance.now() > deadline) assert.fail(`/readyz said ${last}, not ${status}: ${output}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    async end(signal) {
      child.kill(signal)
      await closed
    },
  }
  started.push(worker)
  return worker
}

async function readiness(output: string): Promise<number> {
  const port = /"probesPort":(\d+)/.exec(output)?.[1]
  if (port === undefined) return 0
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    (response) => response.status,
    () => 0,
  )
}
