import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Artifact, Compression, UnsignedManifest } from '@holdfast/core'
import { restoreNotes } from '@holdfast/core'
import { createDriverRegistry } from '@holdfast/drivers'
import type { MariadbServer } from '@holdfast/testing'
import { startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { follow, storeByHand } from '../packages/core/fixtures/by-hand.ts'
import { makeManifest } from '../packages/core/fixtures/manifest.ts'

const { restoreSteps } = createDriverRegistry().byEngine('mysql')
// mariadb-dump finds no events in databases with quotes or backslashes in their names
const SOURCE = 'the `source` & é $(touch pwned)'
const DESTINATION = `-n\`e'w \\ $(touch pwned) "é" &`
const REPLACED = 'to be `replaced` 100%'

// what the driver writes beside a dump
const SETTINGS = `SET NAMES utf8mb4;
ALTER DATABASE CHARACTER SET latin2 COLLATE latin2_czech_cs;
`
const GLOBALS = 'CREATE ROLE IF NOT EXISTS `from globals`;\nCREATE USER IF NOT EXISTS `app`@`10.%`;\n'

/** Each body is one statement. */
const OBJECTS = [
  'CREATE SEQUENCE ids START WITH 100',
  'CREATE TABLE items (id int NOT NULL DEFAULT NEXTVAL(ids) PRIMARY KEY, name varchar(200) CHARACTER SET utf8mb4)',
  `INSERT INTO items (name) VALUES ('🦊'), (CONCAT('x', CHAR(10), '-- Dumping events for database'))`,
  `INSERT INTO items (name) VALUES ('\`the \`\`source\`\` & é $(touch pwned)\`.\`ids\`'), ('DEFINER=\`a\`@\`b\`*/')`,
  'CREATE VIEW b AS SELECT id, NEXTVAL(ids) AS n FROM items',
  'CREATE VIEW a AS SELECT id FROM b',
  'CREATE FUNCTION three() RETURNS int DETERMINISTIC RETURN 3',
  'CREATE DEFINER=app@`10.%` PROCEDURE many() BEGIN SELECT 1; /* kept */ SELECT 2; END',
  `CREATE TRIGGER shout BEFORE INSERT ON items FOR EACH ROW SET NEW.name = CONCAT(NEW.name, '!')`,
  `CREATE EVENT busy ON SCHEDULE EVERY 1 SECOND DO INSERT INTO items (name) VALUES ('event')`,
]
const ROWS = 'SELECT id, HEX(name) AS name FROM items ORDER BY id'

let server: MariadbServer
let base: string
let folder: string

beforeAll(async () => {
  server = await startMariadb()
  await server.sql(null, 'CREATE USER app@`10.%`')
  await server.createDatabase(SOURCE, 'CHARACTER SET latin2 COLLATE latin2_czech_cs')
  for (const statement of OBJECTS) await server.sql(SOURCE, statement)
})
afterAll(() => server?.stop())

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-by-hand-'))
  folder = join(base, 'backup')
  mkdirSync(folder)
})
afterEach(async () => {
  rmSync(base, { recursive: true, force: true })
  for (const name of [DESTINATION, REPLACED]) {
    await server.sql(null, `DROP DATABASE IF EXISTS ${quoted(name)}`)
  }
})

describe('RESTORE.md of a MySQL database', () => {
  it.each(['zstd', 'gzip', 'none'] as const)(
    'brings a dump stored as %s into the place of another',
    async (codec) => {
      await server.createDatabase(REPLACED)
      await server.sql(REPLACED, 'CREATE TABLE was_here (a int)')

      const { okLines, blocks, errors } = read(await storeBackup(codec), { ACCEPTS_SANDBOX: 'no' })

      expect(errors).toBe('')
      expect(okLines).toBe(blocks)
      for (const name of [DESTINATION, REPLACED]) {
        expect(await server.sql(name, ROWS)).toEqual(await server.sql(SOURCE, ROWS))
        expect(await server.sql(name, 'SELECT @@collation_database AS collation')).toEqual([
          { collation: 'latin2_czech_cs' },
        ])
        expect(await definitionsIn(name)).toBe(
          (await definitionsIn(SOURCE)).replaceAll(quoted(SOURCE), quoted(name)),
        )
      }
      expect(await server.sql(null, "SELECT user FROM mysql.user WHERE user = 'from globals'")).toHaveLength(
        1,
      )
      const replaced = readFileSync(join(base, 'wo rk', 'replaced.sql'), 'utf8')
      expect(replaced).toMatch(/CREATE DATABASE .*USE .*CREATE TABLE `was_here`/s)
      expect(existsSync(join(folder, 'pwned')) || existsSync('pwned')).toBe(false)
      const calls = readFileSync(join(base, 'calls'), 'utf8')
      expect(calls).toContain('--defaults-file=')
      expect(calls).not.toContain(server.administrator.password)
    },
  )

  it('creates no event before everything else is there', async () => {
    const { okLines } = read(await storeBackup('none'), {}, { to: -2 })
    expect(okLines).toBe(4)
    expect(await eventsIn(DESTINATION)).toEqual([])
  })

  it('lets views and routines run as whoever restores them', async () => {
    const { okLines } = read(await storeBackup('none'), { DEFINERS: 'none' }, { to: -1 })
    expect(okLines).toBe(5)
    expect(await definersIn(SOURCE)).toEqual(['app@10.%', 'holdfast@%'])
    expect(await definersIn(DESTINATION)).toEqual(['holdfast@%'])
    expect(await server.sql(DESTINATION, ROWS)).toEqual(await server.sql(SOURCE, ROWS))
  })

  it('leaves no half of a dump that cannot be loaded, and replaces nothing by it', async () => {
    await server.createDatabase(REPLACED)
    const backup = await storeBackup(
      'none',
      Buffer.from('CREATE TABLE a (a int);\nno sql;\n-- Dump completed on x\n'),
    )
    const { okLines, errors } = read(backup)
    expect(errors).toMatch(/ERROR 1064 .*at line 2/)
    expect(okLines).toBe(3)
    expect(await databases()).not.toContain(DESTINATION)
    expect(await databases()).toContain(REPLACED)
  })

  it('carries out no command of the client that hides in a dump', async () => {
    const dump = Buffer.from('\\! touch pwned\nsystem touch pwned\n-- Dump completed on x\n')
    expect(read(await storeBackup('none', dump)).okLines).toBe(3)
    expect(existsSync(join(folder, 'pwned'))).toBe(false)
  })

  it('does not load a damaged dump', async () => {
    const backup = await storeBackup('none')
    const file = join(folder, backup.artifacts[0]?.name ?? '')
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(file, bytes)
    expect(read(backup).okLines).toBe(0)
    expect(read(backup, {}, { from: 1 }).okLines).toBe(0)
    expect(await databases()).not.toContain(DESTINATION)
  })

  it('overwrites no database that exists', async () => {
    await server.createDatabase(DESTINATION)
    await server.sql(DESTINATION, 'CREATE TABLE was_here (a int)')
    const { okLines, errors } = read(await storeBackup('none'), {}, { to: -1 })
    expect(errors).toMatch(/database exists/)
    expect(okLines).toBe(3)
    expect(await server.sql(DESTINATION, 'SHOW TABLES')).toHaveLength(1)
  })

  it('names the programs of MySQL for its dumps', () => {
    const part = { command: 'cat data-1.sql', sizeBytes: 1, sha256: 'a'.repeat(64) }
    const about = { format: 'plain', serverVersion: '8.0.36', toolVersion: '8.0.36', data: part }
    const attachments = { settings: part, contents: part, globals: null }
    const text = restoreSteps({ ...about, attachments, details: { flavour: 'MySQL', schema: 'shop' } })
    expect(text).toContain('CLIENT:=mysql}')
    expect(text).toContain('DUMP:=mysqldump}')
    expect(text).toContain('"$WORK/events.sql"')
    const unusual = { flavour: 'MySQL', schema: "the shop's", eventsApart: true }
    expect(restoreSteps({ ...about, attachments, details: unusual })).toContain('create them by hand')
  })
})

async function definitionsIn(database: string): Promise<string> {
  const asked = [
    'TABLE items',
    'VIEW a',
    'VIEW b',
    'FUNCTION three',
    'PROCEDURE many',
    'TRIGGER shout',
    'EVENT busy',
  ]
  const found = []
  for (const what of asked)
    found.push(Object.entries((await server.sql(database, `SHOW CREATE ${what}`))[0] ?? {}))
  // a trigger tells when it was created
  return found.map((row) => row.filter(([name]) => name !== 'Created').join('\n')).join('\n')
}

async function definersIn(database: string): Promise<readonly unknown[]> {
  const rows = await server.sql(
    null,
    `SELECT definer FROM information_schema.routines WHERE routine_schema = ? UNION
     SELECT definer FROM information_schema.views WHERE table_schema = ? UNION
     SELECT definer FROM information_schema.triggers WHERE trigger_schema = ? UNION
     SELECT definer FROM information_schema.events WHERE event_schema = ? ORDER BY 1`,
    Array.from({ length: 4 }, () => database),
  )
  return rows.map(({ definer }) => definer)
}

async function eventsIn(database: string) {
  return server.sql(null, 'SELECT event_name FROM information_schema.events WHERE event_schema = ?', [
    database,
  ])
}

async function databases(): Promise<readonly unknown[]> {
  return (await server.sql(null, 'SHOW DATABASES')).map(({ Database }) => Database)
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** Follows the notes of a backup, with a client that knows no sandbox if told so, and that notes how it was called. */
function read(
  manifest: UnsignedManifest,
  names: Readonly<Record<string, string>> = {},
  blocks: { readonly from?: number; readonly to?: number } = {},
) {
  const client = join(base, 'client')
  writeFileSync(
    client,
    `#!/bin/sh
printf '%s\\n' "$*" >> '${join(base, 'calls')}'
if [ "$ACCEPTS_SANDBOX" != no ] || [ ! -f /dev/stdin ]; then exec '${server.programs.client}' "$@"; fi
head -n 1 < /dev/stdin | grep -q 'sandbox mode' && exit 1
exec '${server.programs.client}' "$@"
`,
    { mode: 0o700 },
  )
  const options = join(base, 'options.cnf')
  const { name, password } = server.administrator
  writeFileSync(
    options,
    `[client]\nhost=127.0.0.1\nport=${server.port}\nuser=${name}\npassword="${password}"\n`,
    { mode: 0o600 },
  )
  const env = {
    ...{ OPTIONS: options, CLIENT: client, DUMP: server.programs.dump, WORK: join(base, 'wo rk') },
    ...{ DATABASE: DESTINATION, REPLACED, ...names },
  }
  const notes = restoreNotes(manifest, restoreSteps)
  return follow(notes, { folder, tools: base, programs: dirname(server.programs.client), env, ...blocks })
}

/** Takes a dump with MariaDB's own program and stores it as a worker does. */
async function storeBackup(codec: Compression, dump = dumped()): Promise<UnsignedManifest> {
  const store = (role: Artifact['role'], extension: string, content: Buffer) =>
    storeByHand(folder, role, extension, content, codec)
  const artifacts = [
    await store('data', 'sql', dump),
    await store('settings', 'sql', Buffer.from(SETTINGS)),
    await store('contents', 'json', Buffer.from('{}')),
    await store('globals', 'sql', Buffer.from(GLOBALS)),
  ]
  return makeManifest({
    ...{ engine: 'mysql', format: 'plain', artifacts, compression: codec },
    ...{ serverVersion: '10.11.19', toolVersion: '10.11.19' },
    engineDetails: { flavour: 'MariaDB', schema: SOURCE, charset: 'latin2', collation: 'latin2_czech_cs' },
  })
}

function dumped(): Buffer {
  const { name, password } = server.administrator
  const place = [
    '--no-defaults',
    '--protocol=tcp',
    '--host=127.0.0.1',
    `--port=${server.port}`,
    `--user=${name}`,
  ]
  const what = ['--single-transaction', '--routines', '--triggers', '--events', '--hex-blob', '--tz-utc']
  const how = ['--skip-add-locks', '--default-character-set=utf8mb4', '--no-tablespaces', '--dump-history']
  const done = spawnSync(server.programs.dump, [...place, ...what, ...how, '--', SOURCE], {
    env: { MYSQL_PWD: password },
    maxBuffer: 1 << 26,
  })
  expect(done.stderr.toString()).toBe('')
  return done.stdout
}
