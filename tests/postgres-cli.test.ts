import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresServer } from '@holdfast/testing'
import { fingerprintDifferences, postgresFingerprintOf, startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ourDatabases } from './support/postgres-bench.ts'
import type { Cli, CommandEnd } from './support/run-cli.ts'
import { cliOf } from './support/run-cli.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const PASSWORD = `pw ' " \\ @:/?#%41`
const SHOP = `
  CREATE SCHEMA sales;
  CREATE TABLE sales.orders (id int PRIMARY KEY, item text);
  INSERT INTO sales.orders SELECT n, md5(n::text) FROM generate_series(1, 1000) n;
  CREATE TABLE public.notes AS SELECT 'a note' AS note;
  ALTER DATABASE shop SET work_mem = '9MB'`

let server: PostgresServer
let system: System
let holdfast: Cli
let url: string
const printed: CommandEnd[] = []

beforeAll(async () => {
  server = await startPostgres()
  const owner = await server.createRole({ password: PASSWORD, attributes: 'SUPERUSER' })
  await server.createDatabase('shop')
  await server.sql('shop', SHOP)
  system = await startSystem()
  holdfast = cliOf(system)
  url = server.urlOf('shop', owner)
})
afterAll(async () => {
  await system?.stop()
  await server?.stop()
})

async function run(...words: readonly string[]): Promise<CommandEnd> {
  const end = await holdfast(...words)
  printed.push(end)
  return end
}

// in the order of a first day with it: each builds on what was done before
describe('the command line with PostgreSQL', () => {
  it('registers a database by a URL that nobody else can read, and looks at it', async () => {
    expect(await run('target', 'add', 'shop', url)).toMatchObject({ code: 2 })
    const added = await holdfast.with({ input: url }, 'target', 'add', 'shop', '--url-file', '-')
    printed.push(added)
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/engine +postgres\n/) })
    const checked = await holdfast.json('target', 'check', 'shop')
    expect(checked).toMatchObject({ target: 'shop', toolVersion: expect.stringMatching(/^\d+\.\d+/) })
  })

  it('takes backups in other formats and of parts, and shows them', async () => {
    const first = await run('backup', 'create', 'shop', '--name', 'first', '--globals=without-passwords')
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/records +1,001\n/) })
    const part = await run('backup', 'create', 'shop', '--format', 'plain', '--except', 'public.notes')
    expect(part.code, part.stderr).toBe(0)
    const { items } = await holdfast.json('backup', 'list', '--target', 'shop')
    expect(items).toMatchObject([
      { format: 'plain', rowCounts: { 'sales.orders': 1000 }, status: 'completed' },
      { format: 'custom', name: 'first', status: 'completed' },
    ])
  })

  it('proves a backup by a drill', async () => {
    expect(await run('backup', 'verify', 'first')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is sound (restore)'),
    })
  })

  it('restores into a new database, and over the one that is there, and undoes it', async () => {
    const original = await postgresFingerprintOf(server.urlOf('shop'))
    const differencesTo = async (database: string) =>
      fingerprintDifferences(original, await postgresFingerprintOf(server.urlOf(database)))
    const file = join(system.directory, 'copy-url')
    await writeFile(file, url.replace(/shop$/, 'copy'), { mode: 0o600 })
    const copied = await run('backup', 'restore', 'first', '--to-url-file', file, '--yes')
    expect(copied.code, copied.stderr).toBe(0)
    expect(await differencesTo('copy')).toEqual([])

    await server.sql('shop', 'DROP TABLE sales.orders')
    const dry = await run('backup', 'restore', 'first', '--to', 'shop', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/would replace +postgres:\S+shop/) })
    const restored = await holdfast.json('backup', 'restore', 'first', '--to', 'shop', '--yes')
    expect(restored).toMatchObject({ state: 'completed', result: { recordsRestored: 1001 } })
    expect(await differencesTo('shop')).toEqual([])
    expect(await run('operation', 'undo', restored.id, '--yes')).toMatchObject({ code: 0 })
    expect(await differencesTo('shop')).not.toEqual([])
    expect(await ourDatabases(server)).toEqual([])
  })

  it('has shown the password to nobody', () => {
    for (const { stdout, stderr } of printed) {
      expect(stdout + stderr).not.toContain(PASSWORD)
      expect(stdout + stderr).not.toContain(encodeURIComponent(PASSWORD))
    }
  })
})
