import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Storage } from '@holdfast/core'
import type { TemporaryDirectory } from '@holdfast/testing'
import { keysBelow, makeTemporaryDirectory, readBytes, seededRandom } from '@holdfast/testing'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { run, runProcess, STORAGE_PROCESS } from '../fixtures/run-process.ts'
import { openStorage } from './index.ts'

let directory: TemporaryDirectory
let root: string
let url: string

beforeEach(async () => {
  directory = await makeTemporaryDirectory('storage')
  root = join(directory.path, 'root')
  url = pathToFileURL(root).href
})
afterEach(() => directory.remove())

const open = (create = true) => openStorage(url, { name: 'default', create })

describe('a process killed while it stores', () => {
  it('leaves whole objects, each that it acknowledged, and parts that are swept', async () => {
    const random = seededRandom(20)
    const acknowledged = new Set<string>()
    for (let run = 0; run < 20; run += 1) {
      const lines = await killedAfter(['endless', url, String(run)], random() * 120)
      for (const key of lines) acknowledged.add(key)
    }
    const storage = await open(false)
    const keys = await keysBelow(storage, '')
    for (const key of keys) await requireWhole(storage, key)
    const present = new Set(keys)
    for (const key of acknowledged) assert.ok(present.has(key), `${key} was acknowledged and is gone`)
    assert.ok(
      acknowledged.size > 20,
      `only ${acknowledged.size} were stored: the kills came too early to tell`,
    )
    assert.ok((await storage.sweepPartial(0)) > 0, 'no kill came in the middle of a put')
    assert.deepEqual(await readdir(join(root, '.partial')), [])
    assert.deepEqual(await keysBelow(storage, ''), keys)
  })
})

describe('several processes', () => {
  it('agree on one id when they open an empty place together', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => runProcess(['id', url])))
    assert.equal(new Set(ids).size, 1)
    assert.equal(await (await open(false)).id(), ids[0])
    assert.deepEqual(await readdir(join(root, '.partial')), [])
  })

  it('let one of them win a key', async () => {
    await open()
    const startAt = String(Date.now() + 1500)
    const letters = ['a', 'b', 'c', 'd', 'e', 'f']
    const results = await Promise.all(
      letters.map((letter) => runProcess(['once', url, 'shop/one/data', letter, startAt])),
    )
    assert.deepEqual(
      results.filter((result) => result !== 'stored'),
      Array(5).fill('OBJECT_EXISTS'),
    )
    const winner = letters[results.indexOf('stored')] ?? ''
    assert.equal(String(await readBytes(await open(), 'shop/one/data')), winner.repeat(200_000))
  })
})

describe('a full disk', () => {
  it('refuses what does not fit, keeps what was there, and goes on once there is space', async () => {
    const { stored, code, state, listed, partial, again } = await fillSmallDisk()
    assert.equal(code, 'STORAGE_FULL')
    assert.equal(state, 'STORAGE_FULL')
    assert.ok(stored > 0)
    assert.deepEqual(
      listed,
      Array.from({ length: stored }, (_, index) => (index + 1) * 200_000),
    )
    assert.equal(partial, 0)
    assert.equal(again, 'stored')
  })
})

interface Filled {
  readonly stored: number
  readonly code: string
  readonly state: string
  readonly listed: readonly number[]
  readonly partial: number
  readonly again: string
}

/** On a tmpfs of 8 MB of its own; where mounting is not permitted, under a limit on the size of files. */
async function fillSmallDisk(): Promise<Filled> {
  await mkdir(root)
  const command = `mount -t tmpfs -o size=8m tmpfs '${root}' && exec "$0" "$@"`
  const argv = [process.execPath, STORAGE_PROCESS, 'fill', url]
  const ways = [
    ['unshare', '--mount', 'sh', '-c', command],
    ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', command],
    ['prlimit', '--fsize=2000000', '--'],
  ]
  for (const way of ways) {
    const output = await run([...way, ...argv]).catch(() => '')
    // the process prints one line of JSON of this shape
    if (output.startsWith('{')) return JSON.parse(output)
  }
  return assert.fail('this machine offers no way to limit space')
}

/** Runs the process until a while after it is ready, kills it, and returns what it had acknowledged. */
async function killedAfter(args: readonly string[], delayMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [STORAGE_PROCESS, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  const ready = Promise.withResolvers<void>()
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (output.includes('ready\n')) ready.resolve()
  })
  const closed = once(child, 'close')
  await Promise.race([ready.promise, closed])
  await delay(delayMs)
  child.kill('SIGKILL')
  await closed
  // a line that was cut is no acknowledgement
  return output.split('\n').slice(1, -1)
}

async function requireWhole(storage: Storage, key: string): Promise<void> {
  const bytes = await readBytes(storage, key)
  const hash = createHash('sha256').update(bytes.subarray(32)).digest()
  assert.ok(hash.equals(bytes.subarray(0, 32)), `${key} is not whole`)
}
