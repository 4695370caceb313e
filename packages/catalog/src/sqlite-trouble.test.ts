import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Catalog } from '@holdfast/core'
import { systemClock } from '@holdfast/core'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, rejectsWith } from '@holdfast/testing'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { openCatalog } from './open-catalog.ts'

const BUSY_MS = 1500
/** What a loaded machine may add, the start of a thread included. */
const SLACK_MS = 15_000

describe('an SQLite catalog in trouble', () => {
  let directory: TemporaryDirectory
  let file: string
  const opened: Catalog[] = []

  beforeEach(async () => {
    directory = await makeTemporaryDirectory('catalog')
    file = join(directory.path, 'data', 'catalog.sqlite')
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((catalog) => catalog.close()))
    await directory.remove()
  })

  async function open(busyTimeoutMs = BUSY_MS): Promise<Catalog> {
    const catalog = await openCatalog({ url: `sqlite:${file}`, clock: systemClock, busyTimeoutMs })
    opened.push(catalog)
    return catalog
  }

  const addKey = (catalog: Catalog, name: string) => catalog.keys.add({ name, role: 'viewer', sha256: name })

  it('gives up in bounded time while another process writes, reads on, and recovers', async () => {
    const catalog = await open()
    await addKey(catalog, 'before')
    const other = new Sqlite(file)
    other.exec('begin immediate')
    const startedMs = performance.now()
    let refused = 0
    // as many as there may be: they wait at the same time, not one after the other
    const writing = Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        rejectsWith('CATALOG_UNAVAILABLE', addKey(catalog, `key-${index}`)).then(() => {
          refused += 1
        }),
      ),
    )
    assert.equal((await catalog.keys.list()).length, 1)
    assert.equal(refused, 0, 'reading need not wait')
    await writing
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= BUSY_MS && tookMs < BUSY_MS + SLACK_MS, `took ${tookMs} ms`)
    other.exec('rollback')
    other.close()
    await addKey(catalog, 'after')
    const names = (await catalog.keys.list()).map(({ name }) => name)
    assert.deepEqual(names, ['before', 'after'], 'what was refused is not done later')
  })

  it('cannot be opened in bounded time while another process has it for itself', async () => {
    await (await open()).close()
    const other = new Sqlite(file)
    other.pragma('locking_mode = exclusive')
    other.exec('begin exclusive')
    const startedMs = performance.now()
    const error = await rejectsWith('CATALOG_UNAVAILABLE', open())
    assert.match(error.message, /locked/)
    assert.ok(performance.now() - startedMs < BUSY_MS + SLACK_MS)
    other.close()
    await (await open()).ping()
  })

  it('is readable by its owner alone', async () => {
    await addKey(await open(), 'ci')
    assert.equal((await stat(join(directory.path, 'data'))).mode & 0o777, 0o700)
    const names = await readdir(join(directory.path, 'data'))
    assert.ok(names.includes('catalog.sqlite-wal'))
    for (const name of names) {
      assert.equal((await stat(join(directory.path, 'data', name))).mode & 0o777, 0o600, name)
    }
  })

  it('takes rights away from others on a file that was there', async () => {
    await mkdir(join(directory.path, 'data'))
    await writeFile(file, '', { mode: 0o644 })
    await open()
    assert.equal((await stat(file)).mode & 0o777, 0o600)
  })

  it('notices that its file has gone, and goes on when it is back', async () => {
    const catalog = await open()
    await addKey(catalog, 'before')
    await rename(join(directory.path, 'data'), join(directory.path, 'moved'))
    await rejectsWith('CATALOG_UNAVAILABLE', addKey(catalog, 'lost'))
    await rejectsWith('CATALOG_UNAVAILABLE', catalog.ping())
    await assert.rejects(stat(file), /ENOENT/, 'no empty catalog may take its place')
    await rename(join(directory.path, 'moved'), join(directory.path, 'data'))
    await addKey(catalog, 'after')
    assert.deepEqual(
      (await catalog.keys.list()).map(({ name }) => name),
      ['before', 'after'],
    )
  })

  it('does not go on with another catalog that was put in its place', async () => {
    const catalog = await open()
    await rename(join(directory.path, 'data'), join(directory.path, 'moved'))
    const other = await open()
    assert.notEqual(other.id, catalog.id)
    await rejectsWith('CATALOG_UNAVAILABLE', addKey(catalog, 'lost'))
    await rejectsWith('CATALOG_MISMATCH', addKey(catalog, 'lost'))
    assert.equal((await other.keys.list()).length, 0)
  })

  it('says what is wrong with a path that cannot hold it', async () => {
    await writeFile(join(directory.path, 'data'), '')
    await rejectsWith('CATALOG_UNAVAILABLE', open())
    file = directory.path
    await rejectsWith('INVALID_CONFIGURATION', open())
    file = '/dev/null'
    await rejectsWith('INVALID_CONFIGURATION', open())
    file = join(directory.path, 'loop')
    await symlink(file, file)
    await rejectsWith('CATALOG_UNAVAILABLE', open())
  })

  it('rejects calls after it was closed', async () => {
    const catalog = await open()
    const last = addKey(catalog, 'last')
    await catalog.close()
    assert.equal((await last).name, 'last')
    await rejectsWith('CATALOG_UNAVAILABLE', catalog.ping())
  })

  it('does not keep others from writing while its process is busy', async () => {
    const catalog = await open(6000)
    const child = runProgram(`
      const calls = Array.from({ length: 50 }, (_, index) =>
        catalog.keys.add({ name: 'busy-' + index, role: 'viewer', sha256: 'busy-' + index }))
      console.log('begun')
      const until = performance.now() + 4000
      while (performance.now() < until);
      await Promise.all(calls)`)
    await child.line('begun')
    for (let index = 0; index < 20; index += 1) {
      const startedMs = performance.now()
      await addKey(catalog, `quick-${index}`)
      assert.ok(performance.now() - startedMs < 2500)
    }
    assert.equal(await child.exitCode, 0)
    assert.equal((await catalog.keys.list()).length, 70)
  })

  it('serves six processes that all write at once', async () => {
    const catalog = await open()
    const children = Array.from({ length: 6 }, (_, child) =>
      runProgram(`for (let index = 0; index < 20; index += 1) {
        const name = '${child}-' + index
        await catalog.keys.add({ name, role: 'viewer', sha256: name })
      }`),
    )
    assert.deepEqual(await Promise.all(children.map(({ exitCode }) => exitCode)), Array(6).fill(0))
    assert.equal((await catalog.keys.list()).length, 120)
  })

  it('keeps all that it has confirmed when its process is killed', async () => {
    for (let round = 0; round < 2; round += 1) {
      const child = runProgram(`for (let index = 0; ; index += 1) {
        const name = '${round}-' + index
        await catalog.keys.add({ name, role: 'viewer', sha256: name })
        console.log(name)
      }`)
      await child.line(`${round}-${20 + round * 7}`)
      child.kill()
      await child.exitCode
      const catalog = await open()
      const known = new Set((await catalog.keys.list()).map(({ name }) => name))
      const lost = child.lines.filter((name) => !known.has(name))
      assert.deepEqual(lost, [])
      await catalog.close()
    }
    const tables = new Sqlite(file)
    assert.equal(tables.pragma('integrity_check', { simple: true }), 'ok')
    tables.close()
  })

  /** Runs statements that use `catalog` in a process of their own. */
  function runProgram(statements: string) {
    const program = `
      import { openCatalog } from ${JSON.stringify(join(import.meta.dirname, 'open-catalog.ts'))}
      const catalog = await openCatalog({ url: process.argv[1], clock: { now: Date.now }, busyTimeoutMs: 20_000 })
      ${statements}
      await catalog.close()`
    const argv = ['--input-type=module', '-e', program, `sqlite:${file}`]
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    const reader = createInterface(child.stdout)
    reader.on('line', (text) => lines.push(text))
    const exitCode = once(child, 'exit').then(([code]: unknown[]) => code)
    return {
      lines,
      exitCode,
      kill: () => child.kill('SIGKILL'),
      async line(text: string) {
        const ended = exitCode.then((code) =>
          assert.fail(`the program ended with ${code} before it said ${text}`),
        )
        while (!lines.includes(text)) await Promise.race([once(reader, 'line'), ended])
        ended.catch(() => {})
      },
    }
  }
})
