import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MariadbServer } from '@holdfast/testing'
import { fingerprintDifferences, mysqlFingerprintOf, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cli, CommandEnd } from './support/run-cli.ts'
import { cliOf } from './support/run-cli.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const PASSWORD = `pw ' " \\ @:/?#%41`
const SHOP = [
  'CREATE TABLE orders (id int PRIMARY KEY, item text)',
  'INSERT INTO orders SELECT seq, MD5(seq) FROM seq_1_to_1000',
  "CREATE TABLE notes AS SELECT 'a note' AS note",
  'CREATE TRIGGER loud BEFORE INSERT ON orders FOR EACH ROW SET NEW.item = UPPER(NEW.item)',
  'CREATE FUNCTION three() RETURNS int DETERMINISTIC RETURN 3',
  'CREATE VIEW few AS SELECT id, three() AS three FROM orders WHERE id < 10',
  'CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM notes WHERE FALSE',
]

let server: MariadbServer
let system: System
let holdfast: Cli
let url: string
const printed: CommandEnd[] = []

beforeAll(async () => {
  server = await startMariadb()
  const owner = await server.createAccount({ password: PASSWORD, grants: ['ALL ON *.*'] })
  url = server.urlOf('shop', owner)
  await server.createDatabase('shop')
  for (const statement of SHOP) await server.sql('shop', statement)
  system = await startSystem()
  holdfast = cliOf(system)
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

async function differences(database: string, original: readonly string[]): Promise<readonly string[]> {
  return fingerprintDifferences(original, await mysqlFingerprintOf(server.urlOf(database)))
}

/** Databases that Holdfast has made and that are still there. */
async function ours(): Promise<readonly unknown[]> {
  return server.sql(null, "SHOW DATABASES LIKE 'holdfast%'")
}

// in the order of a first day with it: each builds on what was done before
describe('the command line with MySQL', () => {
  it('registers a database by a URL that nobody else can read, and looks at it', async () => {
    expect(await run('target', 'add', 'shop', url)).toMatchObject({ code: 2 })
    const added = await holdfast.with({ input: url }, 'target', 'add', 'shop', '--url-file', '-')
    printed.push(added)
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/engine +mysql\n/) })
    const checked = await holdfast.json('target', 'check', 'shop')
    expect(checked).toMatchObject({ target: 'shop', details: { flavour: 'MariaDB', tables: 2 } })
  })

  it('takes backups, of parts too, shows them, and proves one by a drill', async () => {
    const first = await run('backup', 'create', 'shop', '--name', 'first', '--globals=without-passwords')
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/records +1,001\n/) })
    const part = await run('backup', 'create', 'shop', '--except', 'notes')
    expect(part.code, part.stderr).toBe(0)
    const { items } = await holdfast.json('backup', 'list', '--target', 'shop')
    expect(items).toMatchObject([
      { format: 'plain', rowCounts: { orders: 1000 }, status: 'completed' },
      { format: 'plain', name: 'first', status: 'completed', engine: 'mysql' },
    ])
    expect(await run('backup', 'verify', 'first')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is sound (restore)'),
    })
  })

  it('restores into a new database with another definer', async () => {
    const file = join(system.directory, 'copy-url')
    await writeFile(file, url.replace(/shop$/, 'copy'), { mode: 0o600 })
    const { name, host } = await server.createAccount({ grants: ['SELECT, EXECUTE ON copy.*'] })
    const to = ['--to-url-file', file, '--definer', `${name}@${host}`, '--yes']
    const copied = await run('backup', 'restore', 'first', ...to)
    expect(copied.code, copied.stderr).toBe(0)
    const definers = await server.sql(
      null,
      `SELECT definer FROM information_schema.views WHERE table_schema = 'copy' UNION
       SELECT definer FROM information_schema.routines WHERE routine_schema = 'copy' UNION
       SELECT definer FROM information_schema.triggers WHERE trigger_schema = 'copy' UNION
       SELECT definer FROM information_schema.events WHERE event_schema = 'copy'`,
    )
    expect(definers).toEqual([{ definer: `${name}@${host}` }])
    expect(await server.sql('copy', 'SELECT COUNT(*) AS number FROM orders')).toEqual([{ number: 1000 }])
  })

  it('restores over the database that is there, and undoes it', async () => {
    const original = await mysqlFingerprintOf(server.urlOf('shop'))
    await server.sql('shop', 'DROP TABLE orders')
    const dry = await run('backup', 'restore', 'first', '--to', 'shop', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/would replace +mysql:\S+shop/) })
    const restored = await holdfast.json('backup', 'restore', 'first', '--to', 'shop', '--yes')
    expect(restored).toMatchObject({ state: 'completed', result: { recordsRestored: 1001 } })
    expect(JSON.stringify(restored.result)).toContain('the view few that was replaced was invalid')
    expect(await differences('shop', original)).toEqual([])
    expect(await ours()).toHaveLength(1)
    const undone = await run('operation', 'undo', restored.id, '--yes')
    expect(undone.code, undone.stderr).toBe(0)
    // the view lost its table, so that nobody could make it again
    expect(await server.sql('shop', 'SHOW TABLES')).toEqual([{ Tables_in_shop: 'notes' }])
    expect(await ours()).toEqual([])
  })

  it('backs up the databases of a server that fit patterns, each by itself', async () => {
    await server.createDatabase('shop_eu')
    await server.sql('shop_eu', 'CREATE TABLE orders (id int PRIMARY KEY)')
    const place = url.replace(/shop$/, '')
    const some = ['--databases', 'shop*', '--exclude-databases', '*_eu']
    const added = await holdfast.with({ input: place }, 'target', 'add', 'main', '--url-file', '-', ...some)
    expect(added.code, added.stderr).toBe(0)
    const asked = await holdfast('backup', 'create', 'main', '--except', 'few', '--json')
    // `shop` has lost its table
    expect(JSON.parse(asked.stdout).result.members).toMatchObject([{ database: 'shop' }])
    const one = await run('backup', 'create', 'main', '--database', 'shop_eu')
    expect(one).toMatchObject({ code: 0, stdout: expect.stringMatching(/database +shop_eu\n/) })
  })

  it('has shown the password to nobody', () => {
    for (const { stdout, stderr } of printed) {
      expect(stdout + stderr).not.toContain(PASSWORD)
      expect(stdout + stderr).not.toContain(encodeURIComponent(PASSWORD))
    }
  })
})
