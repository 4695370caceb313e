import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Header } from 'tar-stream'
import { pack as startPack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import { extractTar } from './extract-tar.ts'

const never = new AbortController().signal
type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string }

let base: string
let into: string
let outside: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-extract-')))
  into = join(base, 'into')
  outside = join(base, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'precious'), 'untouched')
})
afterEach(() => {
  expect(readdirSync(outside)).toEqual(['precious'])
  expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('untouched')
  rmSync(base, { recursive: true, force: true })
})

describe('a hostile tar', () => {
  const leaving: readonly (readonly [string, readonly Entry[]])[] = [
    ['an absolute name', [{ name: '/tmp/holdfast-escaped', content: 'x' }]],
    ['a name with ..', [{ name: 'a/../../outside/new', content: 'x' }]],
    ['a name that is ..', [{ name: '..', type: 'directory' }]],
    ['a name that is .', [{ name: '.', type: 'directory' }]],
    ['an empty part', [{ name: 'a//b', content: 'x' }]],
    [
      'a directory made of a link',
      [
        { name: 'a', type: 'symlink', linkname: '../outside' },
        { name: 'a/new', content: 'x' },
      ],
    ],
    [
      'a file over a link',
      [
        { name: 'a', type: 'symlink', linkname: '../outside/precious' },
        { name: 'a', content: 'x' },
      ],
    ],
    [
      'a directory over a link',
      [
        { name: 'a', type: 'symlink', linkname: '../outside' },
        { name: 'a', type: 'directory' },
      ],
    ],
    [
      'a link over a directory',
      [
        { name: 'a', type: 'directory' },
        { name: 'a', type: 'symlink', linkname: '../outside' },
        { name: 'a/new', content: 'x' },
      ],
    ],
    ['a hard link', [{ name: 'a', type: 'link', linkname: '../outside/precious' }]],
    ['a hard link to an absolute name', [{ name: 'a', type: 'link', linkname: '/etc/passwd' }]],
    ['a device', [{ name: 'a', type: 'character-device', devmajor: 1, devminor: 3 }]],
    ['a FIFO', [{ name: 'a', type: 'fifo' }]],
    [
      'a name that comes twice',
      [
        { name: 'a', content: 'x' },
        { name: 'a', content: 'y' },
      ],
    ],
    [
      'a file used as a directory',
      [
        { name: 'a', content: 'x' },
        { name: 'a/b', content: 'y' },
      ],
    ],
  ]

  it.each(leaving)('is refused and leaves nothing: %s', async (_what, entries) => {
    const bytes = await tarOf([{ name: 'first', content: 'kept until then' }, ...entries])
    await expect(extract(bytes)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
    expect(readdirSync(base)).toEqual(['outside'])
  })

  it('may hold links that lead out, which nobody follows', async () => {
    const bytes = await tarOf([
      { name: 'a', type: 'directory', mode: 0o700 },
      { name: 'a/link', type: 'symlink', linkname: '../../outside/precious' },
      { name: 'z', content: 'x' },
    ])
    expect(await extract(bytes)).toEqual({ fileCount: 2 })
    expect(readFileSync(join(into, 'a', 'link'), 'utf8')).toBe('untouched')
  })

  it.each([1, 300, 511, 513, 700, 1100])('is refused when it is cut to %d bytes', async (length) => {
    const bytes = await tarOf([{ name: 'a', content: 'x'.repeat(600) }])
    await expect(extract(bytes.subarray(0, length))).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
    expect(readdirSync(base)).toEqual(['outside'])
  })

  it('is refused when it is none', async () => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 31) % 251))
    await expect(extract(noise)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
    expect(readdirSync(base)).toEqual(['outside'])
  })
})

describe('unpacking', () => {
  it('makes folders that a tar does not name', async () => {
    expect(await extract(await tarOf([{ name: 'a/b/c', content: 'x' }]))).toEqual({ fileCount: 1 })
    expect(readFileSync(join(into, 'a', 'b', 'c'), 'utf8')).toBe('x')
  })

  it('unpacks an empty tar to an empty directory', async () => {
    expect(await extract(await tarOf([]))).toEqual({ fileCount: 0 })
    expect(readdirSync(into)).toEqual([])
  })

  it('writes into no directory that exists', async () => {
    mkdirSync(into)
    writeFileSync(join(into, 'mine'), 'x')
    const source = Readable.from([await tarOf([{ name: 'a', content: 'x' }])])
    await expect(extractTar(source, into, { signal: never })).rejects.toMatchObject({
      code: 'DESTINATION_EXISTS',
    })
    expect(source.destroyed).toBe(true)
    expect(readdirSync(into)).toEqual(['mine'])
  })

  it('leaves nothing when its source fails, and passes on the failure', async () => {
    const bytes = await tarOf([{ name: 'a', content: 'x'.repeat(100_000) }])
    const failure = new AppError('ARTIFACT_CORRUPT', 'the last byte is wrong')
    const source = Readable.from(failing(bytes, failure))
    await expect(extractTar(source, into, { signal: never })).rejects.toBe(failure)
    expect(readdirSync(base)).toEqual(['outside'])
  })

  it('leaves nothing when aborted, though the source is silent', async () => {
    const bytes = await tarOf([{ name: 'a', content: 'x'.repeat(100_000) }])
    const source = new Readable({ read: () => {} })
    source.push(bytes.subarray(0, 5000))
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 20)
    await expect(extractTar(source, into, { signal: controller.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    })
    expect(source.destroyed).toBe(true)
    expect(readdirSync(base)).toEqual(['outside'])
  })

  it('unpacks hundreds of small files', async () => {
    const entries = Array.from({ length: 500 }, (_, index) => ({
      name: `a/${index}`,
      content: `content ${index}`,
    }))
    expect(await extract(await tarOf(entries))).toEqual({ fileCount: 500 })
    expect(readFileSync(join(into, 'a', '499'), 'utf8')).toBe('content 499')
  })
})

function extract(bytes: Buffer): Promise<{ readonly fileCount: number }> {
  return extractTar(Readable.from([bytes]), into, { signal: never })
}

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const pack = startPack()
  const reading = buffer(Readable.from(pack, { objectMode: false }))
  for (const { content, ...header } of entries) {
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(error) : resolve())
      if (content === undefined) pack.entry(header, done)
      else pack.entry(header, content, done)
    })
  }
  pack.finalize()
  return reading
}

async function* failing(bytes: Buffer, failure: Error): AsyncGenerator<Buffer> {
  yield bytes
  await delay(10)
  throw failure
}
