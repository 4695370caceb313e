import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, rejectsWith, throwsWith } from '@holdfast/testing'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { loadOrCreateMasterKey, parseMasterKey } from './master-key.ts'

describe('master key', () => {
  let directory: TemporaryDirectory
  let file: string

  beforeEach(async () => {
    directory = await makeTemporaryDirectory('master-key')
    file = join(directory.path, 'data', 'master.key')
  })
  afterEach(() => directory.remove())

  it('is made once, readable by its owner alone', async () => {
    const key = await loadOrCreateMasterKey(file)
    assert.equal(key.length, 32)
    assert.deepEqual(await loadOrCreateMasterKey(file), key)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.equal((await stat(join(directory.path, 'data'))).mode & 0o777, 0o700)
    assert.deepEqual(parseMasterKey(await readFile(file, 'utf8')), key)
  })

  it('is the same for processes that start together', async () => {
    const program = `
      import { loadOrCreateMasterKey } from ${JSON.stringify(join(import.meta.dirname, 'master-key.ts'))}
      const key = await loadOrCreateMasterKey(process.argv[1])
      process.stdout.write(Buffer.from(key).toString('hex'))`
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, file])
    const keys = await Promise.all(Array.from({ length: 8 }, run))
    assert.equal(new Set(keys.map(({ stdout }) => stdout)).size, 1)
    assert.match(keys[0]?.stdout ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual(await readdir(join(directory.path, 'data')), ['master.key'])
  })

  it('refuses a file that others may read', async () => {
    await loadOrCreateMasterKey(file)
    await chmod(file, 0o640)
    const error = await rejectsWith('INVALID_CONFIGURATION', loadOrCreateMasterKey(file))
    assert.match(error.hint ?? '', /chmod 600/)
  })

  it.each(['', 'x', 'AAAA', `${Buffer.alloc(31).toString('base64')}`, `${'A'.repeat(42)}!=`, 'A'.repeat(64)])(
    'refuses %j as a key, and keeps it',
    async (text) => {
      await mkdir(join(directory.path, 'data'))
      await writeFile(file, text, { mode: 0o600 })
      await rejectsWith('INVALID_CONFIGURATION', loadOrCreateMasterKey(file))
      throwsWith('INVALID_CONFIGURATION', () => parseMasterKey(text))
      assert.equal(await readFile(file, 'utf8'), text)
    },
  )

  it('says that it is missing where it can be neither read nor made', async () => {
    await writeFile(join(directory.path, 'data'), '')
    await rejectsWith('MASTER_KEY_MISSING', loadOrCreateMasterKey(file))
    await rejectsWith('MASTER_KEY_MISSING', loadOrCreateMasterKey(`${directory.path}/no\0file`))
  })
})
