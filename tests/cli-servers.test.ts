import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import type { Cli } from './support/run-cli.ts'
import { cliOf } from './support/run-cli.ts'
import { addShelf, startShelfSystem } from './support/shelf-system.ts'
import type { System } from './support/system.ts'

let system: System
let holdfast: Cli
let directory: string

beforeAll(async () => {
  system = await startShelfSystem({ workers: 1 })
  holdfast = cliOf(system)
  directory = await addShelf(system, 'first', ['shop', 'crm', 'shop_test'])
})
afterAll(() => system?.stop())

// in the order of a first day with a server: each builds on what was done before
describe('the command line with a server', () => {
  it('registers it, with all that its backups are to be like', async () => {
    const words = ['--databases', 'shop*, crm', '--exclude-databases', '*_test', '--parallel', '4']
    const more = ['--globals=without-passwords', '--counting', 'estimate', '--format', 'sqlite']
    const added = await holdfast.json('target', 'add', 'main', `shelf://${directory}/`, ...words, ...more)
    expect(added.options).toEqual({
      ...{ databases: { include: ['shop*', 'crm'], exclude: ['*_test'] }, parallelDatabases: 4 },
      ...{ globals: 'without-passwords', counting: 'estimate', format: 'sqlite' },
    })
    const filtered = [
      '--only',
      'public',
      '--except',
      'a,b',
      '--except',
      'c',
      '--drill-on',
      'main',
      '--globals',
    ]
    const other = await holdfast.json('target', 'add', 'other', `shelf://${directory}/`, ...filtered)
    expect(other.options).toEqual({
      ...{ filter: { include: ['public'], exclude: ['a', 'b', 'c'] }, drillOn: 'main' },
      globals: 'with-passwords',
    })
    const shown = await holdfast('target', 'show', 'main')
    expect(shown.stdout).toMatch(/databases +shop\*, crm\ndatabases, except +\*_test\nparallel +4 databases/)
    expect((await holdfast('target', 'add', 'wrong', 'shelf:///x/', '--parallel', '0')).code).toBe(2)
    expect((await holdfast('target', 'add', 'wrong', 'shelf:///x/', '--globals=some')).code).toBe(2)
  })

  it('shows which databases a backup would be of', async () => {
    expect((await holdfast('target', 'check', 'main')).stdout).toMatch(/databases +crm, shop\n/)
  })

  it('backs them up, with a line for each', async () => {
    const taken = await holdfast('backup', 'create', 'main', '--label', 'run=1')
    expect(taken).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('2 databases of main are backed up'),
    })
    const lines = taken.stdout.trimEnd().split('\n').toSorted()
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^crm {22} completed {2}[\d.]+ \w+ {2}[0-9a-f-]{36}$/)
    expect(lines[1]).toMatch(/^shop /)
    const listed = await holdfast('backup', 'list', '--target', 'main')
    expect(listed.stdout).toMatch(/ID +TARGET +DATABASE +STATUS/)
    const { items } = await holdfast.json('backup', 'list', '--target', 'main', '--database', 'crm')
    expect(items).toHaveLength(1)
    const group = await holdfast.json('backup', 'list', '--group', items[0].groupId)
    expect(group.total).toBe(2)
    const members = await holdfast('operation', 'list', '--group', items[0].groupId)
    expect(members.stdout).toMatch(/main\/crm +completed/)
  })

  it('says of each database that failed why, and ends with failure', async () => {
    writeFileSync(join(directory, 'shop_bad.db'), 'no database at all\n'.repeat(100))
    const partly = await holdfast('backup', 'create', 'main')
    expect(partly.code).toBe(1)
    expect(partly.stdout).toMatch(/^shop_bad +failed +.+ \(DATABASE_INVALID\)$/m)
    expect(partly.stdout).toMatch(/^crm +completed/m)
    expect(partly.stderr).toContain('1 of 3 databases have no backup: shop_bad')
    expect(partly.stderr).toContain('GROUP_INCOMPLETE')
    const asJson = await holdfast('backup', 'create', 'main', '--json')
    expect(JSON.parse(asJson.stdout).result).toMatchObject({ completed: 2, failed: 1 })
    const accepted = await holdfast('backup', 'create', 'main', '--no-wait')
    expect(accepted.stdout).toMatch(/^[0-9a-f-]{36}\n$/)
    expect((await holdfast('operation', 'watch', accepted.stdout.trim())).code).toBe(1)
  })

  it('backs up one of them by its name', async () => {
    const one = await holdfast('backup', 'create', 'main', '--database', 'shop', '--name', 'before-42')
    expect(one).toMatchObject({ code: 0, stdout: expect.stringMatching(/database +shop\n/) })
  })

  it('asks which database is meant by the latest backup, and finds it', async () => {
    const which = await holdfast('backup', 'show', 'latest', '--target', 'main')
    expect(which).toMatchObject({ code: 2, stderr: expect.stringContaining('--target-database NAME') })
    const latest = ['latest', '--target', 'main', '--target-database', 'shop']
    expect(await holdfast.json('backup', 'show', ...latest)).toMatchObject({ name: 'before-42' })
    expect((await holdfast('backup', 'verify', ...latest)).code).toBe(0)
  })

  it('restores into the database that a backup is of, or into another', async () => {
    const file = join(directory, 'shop.db')
    const wanted = rowsOf(file)
    rewriteDatabase(file, 'changed')
    const restored = await holdfast('backup', 'restore', 'before-42', '--to', 'main', '--yes', '--no-owner')
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    expect(rowsOf(file)).toEqual(wanted)
    const into = ['--to', 'main', '--database', 'shop copy', '--yes', '--definer', 'app@10.0.0.%']
    expect((await holdfast('backup', 'restore', 'before-42', ...into)).code).toBe(0)
    expect(rowsOf(join(directory, 'shop copy.db'))).toEqual(wanted)
    const { items } = await holdfast.json('operation', 'list', '--type', 'restore')
    expect(items[0].request.into).toEqual({ target: 'main', database: 'shop copy' })
    expect(items[0].request).toMatchObject({ keepOwners: true, definer: 'app@10.0.0.%' })
    expect(items.at(1).request).toMatchObject({ keepOwners: false, definer: null })
    const both = await holdfast('backup', 'restore', 'before-42', ...into, '--no-owner')
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('contradict') })
    const url = ['--to', `shelf://${directory}/x`, '--database', 'y']
    expect((await holdfast('backup', 'restore', 'before-42', ...url)).code).toBe(2)
  })

  it('restores into a target that is one database, too', async () => {
    const file = join(system.directory, 'alone.db')
    makeDatabase(file, 'alone', 5)
    expect((await holdfast('target', 'add', 'alone', `shelf://${system.directory}/alone`)).code).toBe(0)
    const restored = await holdfast('backup', 'restore', 'before-42', '--to', 'alone', '--yes')
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    expect(rowsOf(file)).toEqual(rowsOf(join(directory, 'shop.db')))
  })

  it('tells how old the oldest of them is', async () => {
    const listed = await holdfast('target', 'list')
    expect(listed.stdout).toMatch(/main .*Z \(oldest of 2 databases\)/)
    expect((await holdfast('target', 'show', 'main')).stdout).toMatch(/newest of crm +\d{4}-/)
    expect((await holdfast.json('status')).targets).toHaveLength(4)
  })
})
