import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TarOptions } from './tar-directories.ts'
import { tarDirectories } from './tar-directories.ts'

const never = new AbortController().signal
const MIB = 1024 * 1024

let base: string
let uploads: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-tar-')))
  uploads = join(base, 'app', 'uploads')
  mkdirSync(uploads, { recursive: true })
})
afterEach(() => {
  rmSync(base, { recursive: true, force: true })
})

const start = (directories: readonly string[], options: Partial<TarOptions> = {}) =>
  tarDirectories(directories, { pathRoots: [base], signal: never, ...options })

describe('files that change while they are read', () => {
  const changes: readonly (readonly [string, (path: string) => void])[] = [
    ['grows', (path) => appendFileSync(path, 'more')],
    ['shrinks', (path) => truncateSync(path, 6 * MIB)],
    ['is emptied', (path) => truncateSync(path, 0)],
    ['is written over', (path) => writeFileSync(path, Buffer.alloc(8 * MIB, 'x'), { flag: 'r+' })],
  ]

  it.each(changes)('fail the tar when one %s', async (_what, change) => {
    const path = join(uploads, 'changing')
    writeFileSync(path, randomBytes(8 * MIB))
    const { stream, done } = await start([uploads])
    const reading = duringReading(stream, () => change(path))
    await expect(reading).rejects.toMatchObject({ code: 'FILES_CHANGED', retryable: true })
    await expect(done).rejects.toMatchObject({ code: 'FILES_CHANGED' })
  })

  it('fail the tar when one vanishes', async () => {
    writeFileSync(join(uploads, 'a'), randomBytes(8 * MIB))
    writeFileSync(join(uploads, 'b'), 'x')
    const { stream, done } = await start([uploads])
    const reading = (async () => {
      for await (const _ of stream) rmSync(join(uploads, 'b'), { force: true })
    })()
    await expect(reading).rejects.toMatchObject({ code: 'FILES_CHANGED' })
    await expect(done).rejects.toMatchObject({ code: 'FILES_CHANGED' })
  })

  it('may be deleted once they are open', async () => {
    const path = join(uploads, 'a')
    writeFileSync(path, randomBytes(8 * MIB))
    const { stream, done } = await start([uploads])
    await duringReading(stream, () => rmSync(path))
    expect(await done).toMatchObject({ fileCount: 1 })
  })
})

describe('a tar that nobody finishes reading', () => {
  it('stops when its reader leaves', async () => {
    writeFileSync(join(uploads, 'a'), randomBytes(8 * MIB))
    const { stream, done } = await start([uploads])
    for await (const _ of stream) break
    await expect(done).rejects.toThrow()
  })

  it('stops when aborted, with the reason on both sides', async () => {
    writeFileSync(join(uploads, 'a'), randomBytes(8 * MIB))
    const controller = new AbortController()
    const { stream, done } = await start([uploads], { signal: controller.signal })
    const writing = pipeline(stream, createWriteStream(join(base, 'out.tar')))
    controller.abort()
    await expect(writing).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('tells its reason also to whoever begins to read after the failure', async () => {
    const controller = new AbortController()
    const { stream, done } = await start([uploads], { signal: controller.signal })
    controller.abort()
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(pipeline(stream, createWriteStream(join(base, 'out.tar')))).rejects.toMatchObject({
      code: 'CANCELLED',
    })
  })

  it('holds few entries in memory', async () => {
    for (let number = 0; number < 1500; number += 1) mkdirSync(join(uploads, `directory-${number}`))
    const { stream, done } = await start([uploads])
    await delay(300)
    expect(stream.readableLength).toBeLessThan(2 * MIB)
    stream.resume()
    expect(await done).toEqual({ fileCount: 0, warnings: [] })
  })
})

/** Reads a tar to its end, doing something once its first file is being read. */
async function duringReading(stream: Readable, something: () => void): Promise<void> {
  let before = true
  let sizeBytes = 0
  for await (const chunk of stream) {
    sizeBytes += chunk.length
    if (before && sizeBytes > MIB) {
      something()
      before = false
    }
  }
}
