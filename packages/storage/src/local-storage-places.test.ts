import assert from 'node:assert/strict'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { TemporaryDirectory } from '@holdfast/testing'
import { keysBelow, makeTemporaryDirectory, putBytes, readBytes, rejectsWith } from '@holdfast/testing'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { runProcess } from '../fixtures/run-process.ts'
import { openStorage } from './index.ts'
import { storageError } from './local-errors.ts'

const never = new AbortController().signal

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

describe('a failure of the file system', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EFBIG', 'STORAGE_FULL'],
    ['EROFS', 'STORAGE_UNAVAILABLE'],
    ['EACCES', 'STORAGE_UNAVAILABLE'],
    ['EIO', 'STORAGE_UNAVAILABLE'],
    ['ENOENT', 'STORAGE_UNAVAILABLE'],
  ])('calls %s %s and says what to do', (code, expected) => {
    const failure = storageError(Object.assign(new Error('x'), { code }), '/backups')
    assert.ok(failure instanceof Error && 'code' in failure && 'hint' in failure)
    assert.equal(failure.code, expected)
    assert.equal(typeof failure.hint, 'string')
  })
})

describe('a place that is not the storage', () => {
  it('is noticed when the disk was unmounted, and nothing is written into the directory below', async () => {
    const storage = await open()
    await putBytes(storage, 'shop/one/data', 'x')
    await rename(root, `${root}-away`)
    await mkdir(root)
    await rejectsWith('STORAGE_UNAVAILABLE', putBytes(storage, 'shop/two/data', 'y'))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.replace('shop/state.json', Buffer.from('y')))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.get('shop/one/data', never))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.stat('shop/one/data'))
    await rejectsWith('STORAGE_UNAVAILABLE', keysBelow(storage, ''))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.delete('shop/one/data'))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.check())
    await rejectsWith('STORAGE_UNAVAILABLE', storage.sweepPartial(0))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.id())
    await rejectsWith('STORAGE_UNAVAILABLE', open(false))
    assert.deepEqual(await readdir(root), [])

    await rm(root, { recursive: true })
    await rejectsWith('STORAGE_UNAVAILABLE', putBytes(storage, 'shop/two/data', 'y'))
    await rejectsWith('STORAGE_UNAVAILABLE', open(false))
    await assert.rejects(lstat(root), { code: 'ENOENT' })

    await rename(`${root}-away`, root)
    assert.equal(String(await readBytes(storage, 'shop/one/data')), 'x')
  })

  it('is noticed when another storage was mounted there', async () => {
    const storage = await open()
    await rename(root, `${root}-away`)
    await open()
    await rejectsWith('STORAGE_MISMATCH', putBytes(storage, 'shop/one/data', 'x'))
    await rejectsWith('STORAGE_MISMATCH', storage.id())
  })

  it.each([
    ['holds something else', async () => writeFile(join(root, 'letter.txt'), 'mine')],
    ['has a marker that is none', async () => writeFile(join(root, '.holdfast-storage.json'), '{"id":')],
    [
      'has a marker without a sound id',
      async () => writeFile(join(root, '.holdfast-storage.json'), '{"id":"../x"}'),
    ],
  ])('is refused and left alone when it %s', async (_what, prepare) => {
    await mkdir(root)
    await prepare()
    const before = await readdir(root)
    await rejectsWith('STORAGE_MISMATCH', open())
    await rejectsWith('STORAGE_MISMATCH', open(false))
    assert.deepEqual(await readdir(root), before)
  })

  it('is refused when it is a file, or does not exist and shall not be made', async () => {
    await rejectsWith('STORAGE_UNAVAILABLE', open(false))
    await writeFile(root, 'a file')
    await rejectsWith('STORAGE_MISMATCH', open())
    assert.equal(await readFile(root, 'utf8'), 'a file')
  })
})

describe('links inside the storage', () => {
  it('lead nowhere: nothing outside is read, listed, written or removed', async () => {
    const storage = await open()
    const outside = join(directory.path, 'outside')
    await mkdir(join(outside, 'one'), { recursive: true })
    await writeFile(join(outside, 'one', 'data'), 'secret')
    await symlink(outside, join(root, 'shop'))
    await mkdir(join(root, 'store', 'one'), { recursive: true })
    await symlink(join(outside, 'one', 'data'), join(root, 'store', 'one', 'data'))

    assert.deepEqual(await keysBelow(storage, ''), [])
    await rejectsWith('STORAGE_UNAVAILABLE', storage.get('shop/one/data', never))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.get('store/one/data', never))
    await rejectsWith('STORAGE_UNAVAILABLE', keysBelow(storage, 'shop'))
    await rejectsWith('STORAGE_UNAVAILABLE', putBytes(storage, 'shop/two/data', 'x'))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.replace('shop/one/data', Buffer.from('x')))
    await rejectsWith('STORAGE_UNAVAILABLE', storage.delete('shop/one/data'))
    await rejectsWith('OBJECT_EXISTS', putBytes(storage, 'store/one/data', 'x'))
    assert.equal(await storage.stat('store/one/data'), null)
    assert.equal(await storage.delete('store/one/data'), false)
    await storage.replace('store/one/data', Buffer.from('replaced the link'))

    assert.equal(await readFile(join(outside, 'one', 'data'), 'utf8'), 'secret')
    assert.deepEqual(await readdir(outside), ['one'])
  })
})

describe('files of the storage', () => {
  it('belong to their owner alone, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      const storage = await open()
      await putBytes(storage, 'shop/one/data', 'x')
      await storage.replace('shop/one/state.json', Buffer.from('x'))
    } finally {
      process.umask(before)
    }
    const modes = ['', '.partial', 'shop', 'shop/one'].map(
      async (path) => (await stat(join(root, path))).mode & 0o777,
    )
    assert.deepEqual(await Promise.all(modes), [0o700, 0o700, 0o700, 0o700])
    const files = ['.holdfast-storage.json', 'shop/one/data', 'shop/one/state.json']
    for (const file of files) assert.equal((await stat(join(root, file))).mode & 0o777, 0o600)
  })

  it('are not those that others have put there', async () => {
    const storage = await open()
    await putBytes(storage, 'shop/one/data', 'x')
    await writeFile(join(root, 'shop', 'one', '.data.swp'), 'x')
    await writeFile(join(root, 'shop', 'one', 'a name with spaces'), 'x')
    await mkdir(join(root, 'lost+found'))
    assert.deepEqual(await keysBelow(storage, ''), ['shop/one/data'])
    await storage.delete('shop/one/data')
    assert.deepEqual((await readdir(join(root, 'shop', 'one'))).sort(), ['.data.swp', 'a name with spaces'])
  })

  it('go with the folders that only they were in', async () => {
    const storage = await open()
    await putBytes(storage, 'shop/one/data', 'x')
    await storage.delete('shop/one/data')
    assert.deepEqual(await readdir(root), ['.holdfast-storage.json', '.partial'])
  })

  it('are swept when unfinished only once they are old enough', async () => {
    const storage = await open()
    await writeFile(join(root, '.partial', 'left-over'), 'x')
    assert.equal(await storage.sweepPartial(60_000), 0)
    assert.equal(await storage.sweepPartial(0), 1)
  })

  it('cannot be written by a user without the right to', async () => {
    await open()
    await chmod(root, 0o500)
    await chmod(directory.path, 0o755)
    const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const output = await runProcess(['once', url, 'shop/one/data', 'x', '0'], owner).catch(String)
    assert.match(output, /STORAGE_UNAVAILABLE/)
    await chmod(root, 0o700)
  })
})

describe('a file: URL', () => {
  it.each(['a b', 'ünïcode', '100%', 'a?b#c', 'quote\'"', 'two..dots', '-rf'])(
    'may name the directory %j',
    async (name) => {
      const href = pathToFileURL(join(directory.path, name)).href
      const storage = await openStorage(href, { name: 'default', create: true })
      await putBytes(storage, 'shop/one/data', 'x')
      assert.equal(await readFile(join(directory.path, name, 'shop', 'one', 'data'), 'utf8'), 'x')
      assert.equal(storage.displayUrl, href)
      assert.equal(storage.locate('shop/one/data'), join(directory.path, name, 'shop', 'one', 'data'))
    },
  )

  it.each([
    'file://server/share',
    'file:///x?option=1',
    'file:///x#part',
    'file:///x%00y',
    'file:///x%2Fy',
    'ftp://user:canary@host/x',
    '/plain/path',
    'nonsense',
    '',
  ])('is refused if it is %j, without repeating it', async (wrong) => {
    const failure = await rejectsWith(
      'INVALID_CONFIGURATION',
      openStorage(wrong, { name: 'default', create: true }),
    )
    assert.ok(!`${failure.message}${failure.hint}`.includes('canary'))
  })
})
