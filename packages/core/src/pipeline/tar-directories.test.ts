import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inPieces, listing, makeTree } from '../../fixtures/directory-tree.ts'
import { extractTar } from './extract-tar.ts'
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
  execFileSync('chmod', ['-R', 'u+rwX', base])
  rmSync(base, { recursive: true, force: true })
})

const start = (directories: readonly string[], options: Partial<TarOptions> = {}) =>
  tarDirectories(directories, { pathRoots: [base], signal: never, ...options })

async function pack(directories: readonly string[], options: Partial<TarOptions> = {}) {
  const { stream, include, done } = await start(directories, options)
  const [bytes, summary] = await Promise.all([buffer(stream), done])
  return { bytes, include, ...summary }
}

describe('included directories', () => {
  it('come back as they were, by us and by tar', async () => {
    makeTree(uploads)
    const { bytes, fileCount, include, warnings } = await pack([uploads])
    expect(include).toEqual([{ directory: uploads, as: 'uploads' }])
    expect(warnings).toEqual([])

    const ours = join(base, 'ours')
    expect(await extractTar(Readable.from(inPieces(bytes)), ours, { signal: never })).toEqual({ fileCount })
    expect(listing(join(ours, 'uploads'))).toEqual(listing(uploads))
    expect(fileCount).toBe(listing(uploads).filter((line) => /^[fl] /.test(line)).length)

    const theirs = join(base, 'theirs')
    mkdirSync(theirs)
    const tar = spawnSync('tar', ['-x', '-p', '-f', '-', '-C', theirs], { input: bytes })
    expect(tar.status).toBe(0)
    expect(listing(join(theirs, 'uploads'))).toEqual(listing(uploads))
  })

  it('are the same bytes each time', async () => {
    makeTree(uploads)
    const first = await pack([uploads])
    expect((await pack([uploads])).bytes.equals(first.bytes)).toBe(true)
  })

  it('get top-level names of their own', async () => {
    const others = ['one/uploads', 'two/uploads', 'two/uploads-2'].map((path) => join(base, path))
    for (const directory of others) {
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'x'), directory)
    }
    const { bytes, include } = await pack([uploads, ...others])
    expect(include.map(({ as }) => as)).toEqual(['uploads', 'uploads-2', 'uploads-3', 'uploads-2-2'])
    const into = join(base, 'into')
    await extractTar(Readable.from([bytes]), into, { signal: never })
    for (const { directory, as } of include) expect(listing(join(into, as))).toEqual(listing(directory))
  })

  it('leave out the database in them, and whatever else was named', async () => {
    const names = ['app.db', 'app.db-wal', 'app.db-notes', 'other.db']
    for (const name of names) writeFileSync(join(uploads, name), name)
    mkdirSync(join(uploads, 'store'))
    writeFileSync(join(uploads, 'store', 'object'), 'x')
    symlinkSync(join(uploads, 'app.db'), join(base, 'link.db'))
    const { bytes, fileCount } = await pack([uploads], {
      exclude: [
        join(base, 'link.db'),
        join(uploads, 'app.db-wal'),
        join(uploads, 'store'),
        join(base, 'not there'),
      ],
    })
    expect(fileCount).toBe(2)
    expect(namesIn(bytes)).toEqual(['uploads', 'uploads/app.db-notes', 'uploads/other.db'])
  })

  it('leave out what is no file, with a warning', async () => {
    writeFileSync(join(uploads, 'file'), 'x')
    execFileSync('mkfifo', [join(uploads, 'fifo')])
    const server = createServer().listen(join(uploads, 'socket'))
    await delay(20)
    const { fileCount, warnings } = await pack([uploads])
    server.close()
    expect(fileCount).toBe(1)
    expect(warnings).toHaveLength(2)
    expect(warnings.join()).toMatch(/fifo.*socket/)
  })

  it('warn at most twenty times', async () => {
    for (let number = 0; number < 25; number += 1) execFileSync('mkfifo', [join(uploads, `fifo-${number}`)])
    const { warnings } = await pack([uploads])
    expect(warnings).toHaveLength(21)
    expect(warnings.at(-1)).toBe('5 more were left out')
  })

  it('may hold files of more than 8 GiB', async () => {
    const sparse = join(uploads, 'sparse')
    writeFileSync(sparse, '')
    truncateSync(sparse, 9 * 1024 * MIB)
    const { stream, done } = await start([uploads])
    const head: Buffer[] = []
    for await (const chunk of stream) {
      head.push(chunk)
      if (head.length === 4) break
    }
    await expect(done).rejects.toThrow()
    const listed = spawnSync('tar', ['-t', '-v', '-f', '-'], { input: Buffer.concat(head), encoding: 'utf8' })
    expect(listed.stdout).toContain(String(9 * 1024 * MIB))
  })
})

describe('directories that may not be included', () => {
  it.each([
    ['outside of the roots', () => tmpdir(), 'PATH_NOT_ALLOWED'],
    ['up and out', () => `${base}/../..`, 'PATH_NOT_ALLOWED'],
    ['a link', () => link(uploads, join(base, 'link')), 'PATH_NOT_ALLOWED'],
    ['a link that leads out', () => link('/etc', join(base, 'link')), 'PATH_NOT_ALLOWED'],
    ['missing', () => join(base, 'missing'), 'INVALID_REQUEST'],
    ['a file', () => file(join(base, 'file')), 'INVALID_REQUEST'],
    ['relative', () => 'uploads', 'INVALID_REQUEST'],
  ])('are refused at once: %s', async (_what, directory, code) => {
    await expect(start([directory()])).rejects.toMatchObject({ code })
  })

  it('cannot become a link between the look and the opening', async () => {
    writeFileSync(join(uploads, 'x'), 'x')
    const { stream, done } = await start([uploads])
    // the first directory is opened in a later turn
    rmSync(uploads, { recursive: true })
    symlinkSync('/etc', uploads)
    stream.resume()
    await expect(done).rejects.toMatchObject({ code: 'FILES_CHANGED' })
  })

  it('hold names that are UTF-8', async () => {
    const name = Buffer.concat([Buffer.from(`${uploads}/caf`), Buffer.from([0xe9])])
    writeFileSync(name, 'x')
    const { stream, done } = await start([uploads])
    stream.resume()
    await expect(done).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('café'),
    })
    unlinkSync(name)
  })

  it('must be readable', async () => {
    writeFileSync(join(uploads, 'x'), 'x', { mode: 0 })
    if (process.getuid?.() === 0) return expect((await pack([uploads])).fileCount).toBe(1)
    const { stream, done } = await start([uploads])
    stream.resume()
    await expect(done).rejects.toMatchObject({ code: 'PATH_NOT_ALLOWED' })
  })
})

function namesIn(bytes: Buffer): readonly string[] {
  const listed = spawnSync('tar', ['-t', '-f', '-'], { input: bytes, encoding: 'utf8' }).stdout
  return listed.trim().split('\n').sort()
}

function link(target: string, path: string): string {
  symlinkSync(target, path)
  return path
}

function file(path: string): string {
  if (!existsSync(path)) writeFileSync(path, 'x')
  return path
}
