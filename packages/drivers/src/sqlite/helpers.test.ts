import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { DriverFactory } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { SqlitePlace } from '@holdfast/testing'
import {
  allow,
  DriverBench,
  descendantsOf,
  makeSqlitePlace,
  namesIn,
  never,
  rejectsWith,
  waitUntilGone,
} from '@holdfast/testing'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

let factory: DriverFactory
let place: SqlitePlace
let bench: DriverBench
let others: readonly number[]

beforeEach(async () => {
  others = await descendantsOf(process.pid)
  factory = sqliteDriverFactory({ openWithinMs: 4000 })
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
})
afterEach(async () => {
  await factory.close()
  await place.remove()
})

async function helpers(): Promise<readonly number[]> {
  return (await descendantsOf(process.pid)).filter((pid) => !others.includes(pid))
}

/** The only helper, after it has done its first job. */
async function warmHelper(url: string): Promise<number> {
  await bench.driver(url).inspect(never)
  const [helper, second] = await helpers()
  assert.ok(helper !== undefined && second === undefined)
  return helper
}

describe('the helper processes', () => {
  it('are used again', async () => {
    const url = await place.seeded()
    const helper = await warmHelper(url)
    await bench.dump(url)
    assert.deepEqual(await helpers(), [helper])
  })

  it('are replaced when one that waits is killed', async () => {
    const url = await place.seeded()
    const helper = await warmHelper(url)
    process.kill(helper, 'SIGKILL')
    // at once, before anybody can have heard of it
    await bench.dump(url)
    assert.ok(!(await helpers()).includes(helper))
  })

  it('are replaced when one is killed at work, which fails and can be tried again', async () => {
    const url = await place.large(60)
    const helper = await warmHelper(url)
    const sink = await bench.sink()
    const request = bench.dumpRequest(sink, { onProgress: () => process.kill(helper, 'SIGKILL') })
    const error = await rejectsWith('TOOL_FAILED', bench.driver(url).dump(request, never))
    assert.ok(error.retryable)
    assert.deepEqual(await namesIn(sink.directory), [])
    await bench.dump(url)
  })

  it('are given up when the file system does not answer', async () => {
    const url = await place.seeded()
    const helper = await warmHelper(url)
    process.kill(helper, 'SIGSTOP')
    await rejectsWith('TARGET_UNREACHABLE', bench.driver(url).inspect(never))
    assert.deepEqual(await waitUntilGone([helper]), [])
  })

  it('leave signals to the process they work for', async () => {
    const url = await place.large(30)
    const helper = await warmHelper(url)
    const onProgress = () => {
      process.kill(helper, 'SIGINT')
      process.kill(helper, 'SIGTERM')
    }
    await bench.dump(url, { onProgress })
    assert.deepEqual(await helpers(), [helper])
  })

  it('get neither the environment nor a path on their command line', async () => {
    process.env.HOLDFAST_CANARY = 'canary-in-the-environment'
    try {
      const helper = await warmHelper(await place.seeded())
      assert.doesNotMatch(readFileSync(`/proc/${helper}/environ`, 'utf8'), /canary/)
      assert.doesNotMatch(readFileSync(`/proc/${helper}/cmdline`, 'utf8'), /database/)
    } finally {
      delete process.env.HOLDFAST_CANARY
    }
  })

  it('do not keep their owner from ending', async () => {
    const url = await place.seeded()
    const script = `
      const { sqliteDriverFactory } = await import(${JSON.stringify(new URL('./sqlite-factory.ts', import.meta.url).href)})
      const context = { pathRoots: [${JSON.stringify(place.databases)}], scratchDir: '/tmp', now: Date.now }
      await sqliteDriverFactory().create(${JSON.stringify(url)}, context).inspect(new AbortController().signal)`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
    const [code] = await Promise.race([once(owner, 'exit'), delay(30_000, ['still running'])])
    assert.equal(code, 0)
  })

  it('use little memory, however large the database is', async () => {
    const small = await place.large(5)
    const large = await place.large(250)
    const helper = await warmHelper(small)
    await bench.dump(small)
    const before = peakMegabytes(helper)
    const dump = await bench.dump(large)
    await bench.check(dump, 'full')
    assert.deepEqual(await helpers(), [helper])
    const after = peakMegabytes(helper)
    assert.ok(after - before < 40, `${before} MB grew to ${after} MB`)
    assert.ok(after < 160, `${after} MB`)
  })
})

describe('a swap whose helper dies', () => {
  it.each([0, 1, 3, 10, 30])('is carried to its end %d ms after it was allowed', async (waitMs) => {
    const source = await place.large(10)
    const url = await place.large(12)
    const old = await place.digest(url)
    const ticket = await bench.stage(await bench.dump(source), url)
    let kills = 0
    const confirm = async () => {
      kills += 1
      if (kills > 1) return
      for (const helper of await helpers()) setTimeout(() => process.kill(helper, 'SIGKILL'), waitMs)
    }
    const { replaced } = await bench.driver(url).swap(ticket, confirm, never)
    assert.ok(replaced)
    assert.equal(await place.digest(url), await place.digest(source))
    await bench.driver(url).undo(replaced.ticket, allow, never)
    assert.equal(await place.digest(url), old)
  })

  it('is not begun again after it was refused', async () => {
    const url = await place.seeded()
    const ticket = await bench.stage(await bench.dump(await place.seeded()), url)
    let asked = 0
    const refuse = async () => {
      asked += 1
      throw new AppError('FENCE_LOST', 'no')
    }
    await rejectsWith('FENCE_LOST', bench.driver(url).swap(ticket, refuse, never))
    assert.equal(asked, 1)
  })
})

/** The most memory that a process has ever used, its share of libraries included. */
function peakMegabytes(pid: number): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
