import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestRedis } from '@holdfast/queue/testing'
import { startTestRedis } from '@holdfast/queue/testing'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from './testing/test-api.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const KEY = /^ {2}(hf_[A-Za-z0-9_-]{43})$/m

let directory: TemporaryDirectory
let redis: TestRedis
const children: ChildProcess[] = []
beforeAll(async () => {
  directory = await makeTemporaryDirectory('main')
  redis = await startTestRedis()
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await redis.close()
  await directory.remove()
})

function run(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      HOLDFAST_DATA_DIR: join(directory.path, 'data'),
      HOLDFAST_REDIS_URL: redis.url,
      HOLDFAST_PORT: '0',
      ...env,
    },
    cwd: directory.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  const exit = once(child, 'exit').then(([code]) => Number(code))
  const port = () => Number(/"port":(\d+)/.exec(out)?.[1])
  const address = async () => {
    await until(() => port() > 0 || child.exitCode !== null)
    return `http://127.0.0.1:${port()}`
  }
  return { child, exit, address, out: () => out, err: () => err }
}

describe('the API process', () => {
  it('shows the first admin key once, as plain text and nowhere else', async () => {
    const first = run()
    const address = await first.address()
    const key = KEY.exec(first.out())?.[1] ?? ''
    const answer = await fetch(`${address}/v1/keys`, { headers: { authorization: `Bearer ${key}` } })
    expect(answer.status).toBe(200)
    const logLines = first
      .out()
      .split('\n')
      .filter((line) => line.startsWith('{'))
    expect(logLines.length).toBeGreaterThan(1)
    expect(logLines.join()).not.toContain(key)
    first.child.kill('SIGTERM')
    expect(await first.exit).toBe(0)

    const second = run()
    await second.address()
    expect(second.out()).not.toMatch(KEY)
    expect(second.out()).not.toContain('First admin key')
  })

  it('shows no key if the environment has one', async () => {
    const api = run({ HOLDFAST_DATA_DIR: join(directory.path, 'other'), HOLDFAST_API_KEY: 'x'.repeat(20) })
    await api.address()
    expect(api.out()).not.toMatch(KEY)
    api.child.kill('SIGTERM')
    await api.exit
  })

  it('ends by SIGTERM in time although streams are open', async () => {
    const key = 'environment-key-0123'
    const api = run({ HOLDFAST_API_KEY: key })
    const address = await api.address()
    const stream = await fetch(`${address}/v1/events`, { headers: { authorization: `Bearer ${key}` } })
    const text = stream.text()
    const before = performance.now()
    api.child.kill('SIGTERM')
    expect(await api.exit).toBe(0)
    expect(performance.now() - before).toBeLessThan(5_000)
    expect(await text).toContain('retry:')
  })

  it('tells all that is wrong with its configuration, never repeating it, and exits with 78', async () => {
    const api = run({
      HOLDFAST_API_KEY: 's3cret',
      HOLDFAST_PORT: '99999',
      HOLDFAST_REDIS_URL: 'http://s3cret',
    })
    expect(await api.exit).toBe(78)
    const lines = api.err().split('\n').filter(Boolean).toSorted()
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'HOLDFAST_API_KEY',
      'HOLDFAST_PORT',
      'HOLDFAST_REDIS_URL',
    ])
    expect(api.out() + api.err()).not.toContain('s3cret')
  })

  it('starts without redis, and is not ready then', async () => {
    const api = run({ HOLDFAST_REDIS_URL: 'redis://127.0.0.1:1' })
    const answer = await fetch(`${await api.address()}/readyz`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ parts: { redis: false, catalog: true } })
    api.child.kill('SIGTERM')
    expect(await api.exit).toBe(0)
  })

  it('exits with 1 if the port is taken or the catalog is none', async () => {
    const { port } = new URL(redis.url)
    expect(await run({ HOLDFAST_PORT: port }).exit).toBe(1)
    const broken = run({ HOLDFAST_CATALOG_URL: `sqlite:${MAIN}` })
    expect(await broken.exit).toBe(1)
    expect(broken.err()).not.toBe('')
  })
})
