import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { ErrorCode } from '@holdfast/core'
import type { SqlitePlace } from '@holdfast/testing'
import {
  DriverBench,
  makeSqlitePlace,
  never,
  rejectsWith,
  requireSqliteRefusal,
  sqliteUrl,
} from '@holdfast/testing'
import { createSampleDatabase } from '@holdfast/testing/sqlite'
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest'
import { sqliteDriverFactory } from './sqlite-factory.ts'

const factory = sqliteDriverFactory()
let place: SqlitePlace
let bench: DriverBench

beforeEach(async () => {
  place = await makeSqlitePlace()
  bench = new DriverBench(factory, place)
})
afterEach(() => place.remove())
afterAll(() => factory.close())

function requireRefusal(path: string, code: ErrorCode, hint?: RegExp): Promise<void> {
  return requireSqliteRefusal(bench, place, path, code, hint)
}

describe('a source that is no database', () => {
  it('is not there', () => requireRefusal(place.path('missing.db'), 'DATABASE_NOT_FOUND'))

  it('is in a directory that is not there', () =>
    requireRefusal(place.path('no/such/directory.db'), 'DATABASE_NOT_FOUND'))

  it('lies below a file', () => {
    writeFileSync(place.path('file'), 'x')
    return requireRefusal(place.path('file/below.db'), 'DATABASE_NOT_FOUND')
  })

  it('is empty', () => {
    writeFileSync(place.path('empty.db'), '')
    return requireRefusal(place.path('empty.db'), 'DATABASE_EMPTY')
  })

  it.each([1, 15, 16, 99, 100, 5000])('is %d bytes of something else', (size) => {
    writeFileSync(place.path('noise.db'), Buffer.alloc(size, 'noise'))
    return requireRefusal(place.path('noise.db'), 'DATABASE_INVALID')
  })

  it('is a directory', () => {
    mkdirSync(place.path('directory.db'))
    return requireRefusal(place.path('directory.db'), 'DATABASE_INVALID', /a directory/)
  })

  it('is a FIFO, which is never opened', () => {
    execFileSync('mkfifo', [place.path('fifo.db')])
    return requireRefusal(place.path('fifo.db'), 'DATABASE_INVALID', /a FIFO/)
  })

  it('is a socket', async () => {
    const server = createServer().listen(place.path('socket.db'))
    await once(server, 'listening')
    await requireRefusal(place.path('socket.db'), 'DATABASE_INVALID', /a socket/)
    server.close()
  })

  it('is a device', () => {
    execFileSync('mknod', [place.path('zero.db'), 'c', '1', '5'])
    return requireRefusal(place.path('zero.db'), 'DATABASE_INVALID', /a device/)
  })
})

describe('a source that links lead to', () => {
  it('is a symbolic link to a database', () => {
    createSampleDatabase(place.path('real.db'))
    symlinkSync(place.path('real.db'), place.path('link.db'))
    return requireRefusal(place.path('link.db'), 'DATABASE_INVALID', /symbolic link/)
  })

  it.each(['/etc/passwd', '/etc/shadow', '/no/such/file'])('is a symbolic link to %s', (target) => {
    symlinkSync(target, place.path('link.db'))
    const code = target === '/no/such/file' ? 'DATABASE_INVALID' : 'PATH_NOT_ALLOWED'
    return requireRefusal(place.path('link.db'), code)
  })

  it('is a symbolic link to itself', () => {
    symlinkSync('link.db', place.path('link.db'))
    return requireRefusal(place.path('link.db'), 'DATABASE_INVALID')
  })

  it('has a second name', () => {
    createSampleDatabase(place.path('one.db'))
    linkSync(place.path('one.db'), place.path('two.db'))
    return requireRefusal(place.path('one.db'), 'DATABASE_INVALID', /2 names/)
  })

  it('is reached through a directory that leads out of the roots', () => {
    symlinkSync('/etc', place.path('etc'))
    return requireRefusal(place.path('etc/passwd'), 'PATH_NOT_ALLOWED', /HOLDFAST_PATH_ROOTS/)
  })

  it('is found through a directory that stays within them', async () => {
    mkdirSync(place.path('real'))
    symlinkSync('real', place.path('alias'))
    createSampleDatabase(place.path('real/data.db'), { records: 5 })
    const direct = sqliteUrl(place.path('real/data.db'))
    const through = sqliteUrl(place.path('alias/data.db'))
    assert.equal(await factory.lockKeyOf(through), await factory.lockKeyOf(direct))
    const info = await bench.driver(through).inspect(never)
    assert.equal(info.lockKey, await factory.lockKeyOf(direct))
    assert.equal((await bench.dump(through)).summary.rowCounts.records, 5)
  })
})

describe('a source outside the roots', () => {
  it.each(['/etc/passwd', '/etc/no-such-file', '/no/such/place.db', '/dev/zero', '/proc/self/mem'])(
    'is %s: whether it exists is not told',
    (path) => requireRefusal(path, 'PATH_NOT_ALLOWED', /HOLDFAST_PATH_ROOTS/),
  )

  it('is reached by going up', () =>
    requireRefusal(`${place.databases}/../../../../etc/passwd`, 'PATH_NOT_ALLOWED'))

  it('lies beside a root whose name it begins with', () => {
    mkdirSync(`${place.databases}-other`)
    createSampleDatabase(`${place.databases}-other/data.db`)
    return requireRefusal(`${place.databases}-other/data.db`, 'PATH_NOT_ALLOWED')
  })

  it('is everything if there are no roots', async () => {
    createSampleDatabase(place.path('data.db'))
    const context = { ...place.context, pathRoots: [] }
    const driver = factory.create(sqliteUrl(place.path('data.db')), context)
    await rejectsWith('PATH_NOT_ALLOWED', driver.inspect(never))
  })

  it('has a path that is too long for SQLite', () => {
    const deep = place.path(Array.from({ length: 5 }, () => 'd'.repeat(100)).join('/'))
    mkdirSync(deep, { recursive: true })
    writeFileSync(`${deep}/data.db`, 'x')
    return requireRefusal(`${deep}/data.db`, 'DATABASE_INVALID', /longer than/)
  })
})
