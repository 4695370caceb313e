import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '@holdfast/core'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PrivateRedis } from './private-redis.ts'
import { startPrivateRedis } from './private-redis.ts'

let dir: string
let running: PrivateRedis[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-redis-'))
  running = []
})

afterEach(async () => {
  await Promise.all(running.map((redis) => redis.stop()))
  await rm(dir, { recursive: true, force: true })
})

async function start(port?: number): Promise<PrivateRedis> {
  const redis = await startPrivateRedis(port === undefined ? { dir } : { dir, port })
  running.push(redis)
  return redis
}

async function withClient<Result>(url: string, work: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis(url, { retryStrategy: null, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) return false
    await sleep(20)
  }
  return true
}

describe('a private Redis', () => {
  it('acknowledges only what is on the disk and never evicts', async () => {
    const redis = await start()
    const read = await withClient(redis.url, async (client) => ({
      appendonly: await client.config('GET', 'appendonly'),
      appendfsync: await client.config('GET', 'appendfsync'),
      policy: await client.config('GET', 'maxmemory-policy'),
      save: await client.config('GET', 'save'),
      bind: await client.config('GET', 'bind'),
    }))
    expect(read).toEqual({
      appendonly: ['appendonly', 'yes'],
      appendfsync: ['appendfsync', 'always'],
      policy: ['maxmemory-policy', 'noeviction'],
      save: ['save', ''],
      bind: ['bind', '127.0.0.1'],
    })
  })

  it('refuses whoever does not know the password', async () => {
    const redis = await start()
    const bare = `redis://127.0.0.1:${redis.port}`
    await expect(withClient(bare, (client) => client.get('key'))).rejects.toThrow(/NOAUTH/)
  })

  it('keeps the password out of its arguments, its log and files that others may read', async () => {
    const redis = await start()
    const password = new URL(redis.url).password
    expect(password.length).toBeGreaterThan(20)
    const commandLine = readFileSync(`/proc/${redis.pid}/cmdline`, 'latin1')
    expect(commandLine).toContain('redis-server')
    expect(commandLine).not.toContain(password)
    expect(readFileSync(join(dir, 'redis', 'redis.log'), 'utf8')).not.toContain(password)
    expect(statSync(join(dir, 'redis')).mode & 0o777).toBe(0o700)
    for (const name of ['redis.conf', 'password', 'redis.log', 'owner.lock']) {
      expect(statSync(join(dir, 'redis', name)).mode & 0o077, name).toBe(0)
    }
  })

  it('has its data, and the same address on request, after it was killed and started again', async () => {
    const first = await start()
    await withClient(first.url, (client) => client.set('key', 'kept'))
    process.kill(first.pid, 'SIGKILL')
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await first.stop()

    const second = await start(first.port)
    expect(second.url).toBe(first.url)
    expect(await withClient(second.url, (client) => client.get('key'))).toBe('kept')
  })

  it('is gone when stop resolves, and stop may be called twice', async () => {
    const redis = await start()
    await Promise.all([redis.stop(), redis.stop()])
    expect(isAlive(redis.pid)).toBe(false)
    expect(existsSync(join(dir, 'redis', 'owner.lock'))).toBe(false)
  })

  it('works in a directory whose name needs care', async () => {
    dir = join(dir, `it's "a" name\twith 100% $(care)`)
    const redis = await start()
    expect(await withClient(redis.url, (client) => client.ping())).toBe('PONG')
    await redis.stop()
    dir = join(dir, '..')
  })

  it('says why when the port is taken', async () => {
    const redis = await start()
    const other = await mkdtemp(join(tmpdir(), 'holdfast-redis-'))
    try {
      const failure = await startPrivateRedis({ dir: other, port: redis.port }).catch(
        (error: unknown) => error,
      )
      expect(hasCode(failure, 'QUEUE_UNAVAILABLE')).toBe(true)
      expect(String(failure)).toMatch(/Address already in use/)
      expect(existsSync(join(other, 'redis', 'owner.lock'))).toBe(false)
    } finally {
      await rm(other, { recursive: true, force: true })
    }
  })
})

describe('a data directory', () => {
  it('is refused to a second start while the first is alive', async () => {
    await start()
    const failure = await startPrivateRedis({ dir }).catch((error: unknown) => error)
    expect(hasCode(failure, 'QUEUE_UNAVAILABLE')).toBe(true)
    expect(String(failure)).toContain(`process ${process.pid} already runs`)
  })

  it('goes to exactly one of many that start at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => start()))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('is taken over from a process that died, whose Redis ends by itself', async () => {
    const { pid, redisPid } = await startInAnotherProcess()
    process.kill(pid, 'SIGKILL')
    expect(await until(() => !isAlive(pid), 5_000)).toBe(true)
    const redis = await start()
    expect(redis.pid).not.toBe(redisPid)
    expect(await until(() => !isAlive(redisPid), 5_000)).toBe(true)
    expect(await withClient(redis.url, (client) => client.get('from'))).toBe('another process')
  })

  it('is taken over from a dead process whose Redis lives on', async () => {
    const first = await start()
    await withClient(first.url, (client) => client.set('key', 'kept'))
    // as a dead process leaves it where the system does not end children with their parent
    writeFileSync(
      join(dir, 'redis', 'owner.lock'),
      JSON.stringify({ owner: '999999999 -', port: first.port }),
    )
    const second = await start()
    expect(await first.exited).toEqual({ code: 0, signal: null })
    expect(await withClient(second.url, (client) => client.get('key'))).toBe('kept')
  })

  it('is taken over after a crash in the middle of writing the lock', async () => {
    await (await start()).stop()
    writeFileSync(join(dir, 'redis', 'owner.lock'), '')
    const redis = await start()
    expect(await withClient(redis.url, (client) => client.ping())).toBe('PONG')
  })
})

async function startInAnotherProcess(): Promise<{ pid: number; redisPid: number }> {
  const program = `
    import { startPrivateRedis } from ${JSON.stringify(new URL('./private-redis.ts', import.meta.url).href)}
    import { Redis } from 'ioredis'
    const redis = await startPrivateRedis({ dir: ${JSON.stringify(dir)} })
    const client = new Redis(redis.url)
    await client.set('from', 'another process')
    process.stdout.write(String(redis.pid))
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk]: unknown[] = await once(child.stdout, 'data')
  return { pid: child.pid ?? 0, redisPid: Number(String(chunk)) }
}
