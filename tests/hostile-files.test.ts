import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rowsOf } from './support/databases.ts'
import { lockElsewhere } from './support/lock-elsewhere.ts'
import { processesBelow, survivors } from './support/processes.ts'
import { stillLife } from './support/still-life.ts'
import type { System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'

/** Three attempts, each of which waits for a lock, and the pauses between them. */
const LIMIT_MS = 45_000

describe('files that are no sound database', () => {
  let system: System
  let outside: string
  const unlock: (() => Promise<void>)[] = []
  let sources: string
  let destinations: string
  let sourcesBefore: unknown
  let destinationsBefore: unknown
  let goodBackup: string
  const backups: Asked[] = []
  const restores: Asked[] = []

  beforeAll(async () => {
    system = await startSystem({ env: { HOLDFAST_CONCURRENCY: '8' } })
    outside = await mkdtemp(join(tmpdir(), 'holdfast-outside-'))
    makeDatabase(join(outside, 'secret.db'), 'not for you')
    sources = join(system.directory, 'sources')
    destinations = join(system.directory, 'destinations')
    const cases = await place(sources)
    await place(destinations)
    sourcesBefore = await stillLife(sources)
    destinationsBefore = await stillLife(destinations)
    const good = join(system.directory, 'good.db')
    makeDatabase(good, 'good')
    await system.call('POST', '/v1/targets', { name: 'good', url: sqliteUrl(good) })
    goodBackup = (await carryOut(system, '/v1/backups', { target: 'good' })).backupId
    // all at once, since each waits for its lock for some seconds
    for (const [path, { backup, restore }] of Object.entries(cases)) {
      backups.push({ path, code: backup, id: await askForBackup(path) })
      if (restore !== null) restores.push({ path, code: restore, id: await askForRestore(path, restore) })
    }
  })
  afterAll(async () => {
    await Promise.all(unlock.map((release) => release()))
    await system?.stop()
    await rm(outside, { recursive: true, force: true })
  })

  async function askForBackup(path: string): Promise<string> {
    const name = `source-${backups.length}`
    const added = await system.call('POST', '/v1/targets', { name, url: sqliteUrl(join(sources, path)) })
    expect(added.status).toBe(201)
    return (await system.call('POST', '/v1/backups', { target: name })).body.id
  }

  async function askForRestore(path: string, code: string): Promise<string> {
    const url = sqliteUrl(join(destinations, path))
    // what is locked must refuse because it is, not for want of consent
    const consent = code === 'DATABASE_LOCKED' ? { overwrite: true, confirm: url } : {}
    const asked = { into: { url }, dryRun: false, ...consent }
    return (await system.call('POST', `/v1/backups/${goodBackup}/restore`, asked)).body.id
  }

  /** Puts one of each into a directory of its own. Returns what a backup of each, and a restore into it, must say. */
  async function place(home: string): Promise<Readonly<Record<string, Expected>>> {
    const at = (name: string) => join(home, name)
    await mkdir(home)
    await writeFile(at('empty.db'), '')
    await writeFile(at('text.db'), 'this is a letter and no database\n'.repeat(300))
    await writeFile(at('noise.db'), randomBytes(8192))
    execFileSync('mkfifo', [at('fifo.db')])
    await mkdir(at('directory.db'))
    await writeFile(join(at('directory.db'), 'inside'), 'x')
    await symlink(join(outside, 'secret.db'), at('link-out.db'))
    await symlink('/dev/zero', at('link-device.db'))
    await symlink(at('nowhere'), at('link-nowhere.db'))
    makeDatabase(at('hard.db'), 'one')
    await link(at('hard.db'), at('second-name.db'))
    await symlink(at('hard.db'), at('link-in.db'))
    makeRollbackDatabase(at('locked.db'))
    unlock.push(await lockElsewhere(at('locked.db')))
    makeRollbackDatabase(at('cut.db'))
    await writeFile(at('cut.db'), (await readFile(at('cut.db'))).subarray(0, 6000))
    makeRollbackDatabase(at('torn.db'))
    const torn = await readFile(at('torn.db'))
    torn.fill(0xff, 4096, 12_288)
    await writeFile(at('torn.db'), torn)
    return {
      'missing.db': { backup: 'DATABASE_NOT_FOUND', restore: null },
      'no/such/directory.db': { backup: 'DATABASE_NOT_FOUND', restore: 'DATABASE_NOT_FOUND' },
      'text.db/below-a-file.db': { backup: 'DATABASE_NOT_FOUND', restore: 'DATABASE_NOT_FOUND' },
      'empty.db': { backup: 'DATABASE_EMPTY', restore: null },
      'text.db': { backup: 'DATABASE_INVALID', restore: 'DESTINATION_EXISTS' },
      'noise.db': { backup: 'DATABASE_INVALID', restore: 'DESTINATION_EXISTS' },
      'fifo.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'directory.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'link-out.db': { backup: 'PATH_NOT_ALLOWED', restore: 'PATH_NOT_ALLOWED' },
      'link-device.db': { backup: 'PATH_NOT_ALLOWED', restore: 'PATH_NOT_ALLOWED' },
      'link-nowhere.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'link-in.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'hard.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'second-name.db': { backup: 'DATABASE_INVALID', restore: 'DATABASE_INVALID' },
      'locked.db': { backup: 'DATABASE_LOCKED', restore: 'DATABASE_LOCKED' },
      'cut.db': { backup: 'DATABASE_CORRUPT', restore: 'DESTINATION_EXISTS' },
      'torn.db': { backup: 'DATABASE_CORRUPT', restore: 'DESTINATION_EXISTS' },
      '../../../../etc/passwd': { backup: 'PATH_NOT_ALLOWED', restore: 'PATH_NOT_ALLOWED' },
    }
  }

  it('fail a backup in bounded time with what is wrong, and are left as they are', async () => {
    for (const { path, code, id } of backups) {
      const operation = await finished(system, id, LIMIT_MS)
      expect({ path, ...operation }).toMatchObject({ path, state: 'failed', error: { code } })
    }
    expect(await stillLife(sources)).toEqual(sourcesBefore)
    const { body } = await system.call('GET', '/v1/backups?status=completed')
    expect(body.items.map(({ target }: { target: string }) => target)).toEqual(['good'])
  })

  it('say the same when a target is only checked', async () => {
    for (const [name, code] of [
      ['source-0', 'DATABASE_NOT_FOUND'],
      ['source-3', 'DATABASE_EMPTY'],
      ['source-6', 'DATABASE_INVALID'],
      ['source-8', 'PATH_NOT_ALLOWED'],
    ]) {
      expect((await system.call('POST', `/v1/targets/${name}/check`)).body.code).toBe(code)
    }
    expect(await stillLife(sources)).toEqual(sourcesBefore)
  })

  it('are no destination: a restore fails in bounded time and leaves everything as it is', async () => {
    for (const { path, code, id } of restores) {
      const operation = await finished(system, id, LIMIT_MS)
      expect({ path, ...operation }).toMatchObject({ path, state: 'failed', error: { code } })
    }
    expect(await stillLife(destinations)).toEqual(destinationsBefore)
    expect(rowsOf(join(outside, 'secret.db'))).toHaveLength(2000)
    for (const name of ['missing.db', 'empty.db']) {
      const into = { into: { url: sqliteUrl(join(destinations, name)) }, dryRun: false }
      expect((await carryOut(system, `/v1/backups/${goodBackup}/restore`, into)).error).toBeNull()
      expect(rowsOf(join(destinations, name))).toEqual(rowsOf(join(system.directory, 'good.db')))
    }
  })

  it('do the worker no harm', async () => {
    const [worker] = system.workers
    expect(worker?.child.exitCode).toBeNull()
    expect((await carryOut(system, '/v1/backups', { target: 'good', verify: 'restore' })).error).toBeNull()
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
    const below = await processesBelow(worker?.pid ?? 0)
    // the worker itself and the helpers that it keeps warm
    expect(below.length).toBeLessThanOrEqual(4)
    await worker?.kill('SIGTERM')
    expect(await survivors(below, 3000)).toEqual([])
  })
})

/** Work that was asked for, and the code that it must fail with. */
interface Asked {
  readonly path: string
  readonly code: string
  readonly id: string
}

/** The codes that a backup of a file fails with, and a restore into it; null: it is a good destination. */
interface Expected {
  readonly backup: string
  readonly restore: string | null
}

function makeRollbackDatabase(path: string): void {
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)')
  const insert = database.prepare('INSERT INTO orders (item) VALUES (?)')
  database.exec('BEGIN')
  for (let index = 0; index < 1000; index += 1) insert.run(`item ${index} of a database that will suffer`)
  database.exec('COMMIT')
  database.close()
}
