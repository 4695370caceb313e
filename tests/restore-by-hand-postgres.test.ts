import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Artifact, Compression, UnsignedManifest } from '@holdfast/core'
import { restoreNotes } from '@holdfast/core'
import { createDriverRegistry } from '@holdfast/drivers'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { follow, storeByHand } from '../packages/core/fixtures/by-hand.ts'
import { makeManifest } from '../packages/core/fixtures/manifest.ts'

const { restoreSteps } = createDriverRegistry().byEngine('postgres')
const SOURCE = `it's "a" \\ source = x`
const DESTINATION = `-a 'new' "database" \\ $(touch pwned) é`
const REPLACED = `dbname='postgres' "x" host=nowhere`
const ASIDE = `aside 'of' "it" \\`
const OWNER = `o'wner "x" \\`

const CASES = (['custom', 'plain', 'directory', 'tar'] as const).flatMap((format) =>
  (['zstd', 'gzip', 'none'] as const).map((codec) => ({ format, codec })),
)
type Format = (typeof CASES)[number]['format']
const EXTENSION: Record<Format, string> = { custom: 'dump', plain: 'sql', directory: 'dir.tar', tar: 'tar' }

// what the driver writes beside a dump
const SETTINGS = `SET client_encoding = 'UTF8';
ALTER DATABASE :"database" OWNER TO "${OWNER.replaceAll('"', '""')}";
COMMENT ON DATABASE :"database" IS 'the "comment"';
ALTER DATABASE :"database" SET work_mem = '7MB';
`

const ROWS = `SELECT 'events' AS name, count(*)::int AS rows FROM sales.events UNION ALL
  SELECT 'items', count(*)::int FROM items UNION ALL
  SELECT 'blobs', count(*)::int FROM pg_largeobject_metadata ORDER BY 1`
const ABOUT = `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, datlocprovider::text,
  pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment,
  (SELECT array_agg(setconfig::text) FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings
  FROM pg_database AS d WHERE datname = current_database()`

// refreshing the view would fire it
const WATCHED = `CREATE TABLE audit (tag text);
  CREATE TABLE "EVENT TRIGGER t" AS SELECT 1 AS a;
  CREATE MATERIALIZED VIEW m AS SELECT a FROM "EVENT TRIGGER t";
  CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.audit VALUES (tg_tag);
      IF tg_tag LIKE 'REFRESH%' THEN RAISE EXCEPTION 'nobody refreshes'; END IF;
    END $$;
  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();
  COMMENT ON EVENT TRIGGER watch IS 'watches'`

let server: PostgresServer
let base: string
let folder: string

beforeAll(async () => {
  server = await startPostgres()
  const owner = OWNER.replaceAll('"', '""')
  await server.sql('postgres', `CREATE ROLE "${owner}"`)
  await server.createDatabase(SOURCE, `TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`)
  await server.sql(
    SOURCE,
    `CREATE SCHEMA sales AUTHORIZATION "${owner}";
     CREATE TABLE sales.events (id bigserial PRIMARY KEY, what text);
     ALTER TABLE sales.events OWNER TO "${owner}";
     INSERT INTO sales.events (what) SELECT 'é ' || n FROM generate_series(1, 2000) AS n;
     CREATE TABLE items (id int PRIMARY KEY, event bigint REFERENCES sales.events);
     INSERT INTO items SELECT n, n FROM generate_series(1, 777) AS n;
     SELECT lo_from_bytea(0, 'a large object')`,
  )
})
afterAll(() => server?.stop())

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-by-hand-'))
  folder = join(base, 'backup')
  mkdirSync(folder)
})
afterEach(async () => {
  rmSync(base, { recursive: true, force: true })
  for (const name of [DESTINATION, REPLACED, ASIDE]) {
    await server.sql('postgres', `DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}"`)
  }
})

describe('RESTORE.md of a PostgreSQL database', () => {
  it.each(CASES)('brings a $format dump stored as $codec into the place of another', async (plan) => {
    await server.createDatabase(REPLACED)
    await server.sql(REPLACED, 'CREATE TABLE was_here ()')
    const backup = await storeBackup(plan.format, plan.codec)

    const { okLines, blocks, errors } = read(backup)

    expect(errors.split('\n').filter((line) => !/ERROR: {2}role .* already exists$/.test(line))).toEqual([''])
    expect(okLines).toBe(blocks)
    expect(await server.sql(REPLACED, ROWS)).toEqual(await server.sql(SOURCE, ROWS))
    expect(await server.sql(REPLACED, ABOUT)).toEqual([
      {
        ...{ encoding: 'LATIN1', datcollate: 'C', datctype: 'C', datlocprovider: 'c', owner: OWNER },
        ...{ comment: 'the "comment"', settings: ['{work_mem=7MB}'] },
      },
    ])
    expect(await server.sql(ASIDE, 'SELECT count(*)::int AS tables FROM was_here')).toEqual([{ tables: 0 }])
    expect(existsSync(join(folder, 'pwned')) || existsSync('pwned')).toBe(false)
  })
})

describe('RESTORE.md of a PostgreSQL dump', () => {
  it('creates roles that are missing, and minds none that exist', async () => {
    const [other, backup] = await Promise.all([startPostgres(), storeBackup('custom', 'zstd')])
    try {
      const { okLines, errors } = read(backup, { to: -1, on: other })
      expect(errors).toMatch(/^psql:\S+globals.sql:\d+: ERROR: {2}role "holdfast" already exists\n$/)
      expect(okLines).toBe(5)
      expect(await other.sql(DESTINATION, ROWS)).toEqual(await server.sql(SOURCE, ROWS))
      expect(await other.sql(DESTINATION, ABOUT)).toMatchObject([{ owner: OWNER }])
    } finally {
      await other.stop()
    }
  })

  it.each(['custom', 'plain'] as const)(
    'leaves no half of a %s dump that cannot be loaded, and replaces nothing by it',
    async (format) => {
      await server.createDatabase(REPLACED)
      await server.sql(SOURCE, 'CREATE FUNCTION half() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$')
      await server.sql(
        SOURCE,
        'CREATE TABLE broken (n int CHECK (n > half())); INSERT INTO broken VALUES (2)',
      )
      try {
        await server.sql(
          SOURCE,
          'CREATE OR REPLACE FUNCTION half() RETURNS int LANGUAGE sql AS $$ SELECT 3 $$',
        )
        const { okLines, blocks, errors } = read(await storeBackup(format, 'none'))
        expect(errors).toMatch(/violates check constraint/)
        expect(okLines).toBe(blocks - 3)
        expect(await namesOfDatabases()).not.toContain(DESTINATION)
        expect(await namesOfDatabases()).toContain(REPLACED)
      } finally {
        await server.sql(SOURCE, 'DROP TABLE broken; DROP FUNCTION half')
      }
    },
  )

  it.each(['custom', 'directory'] as const)('does not load a damaged %s dump', async (format) => {
    await server.createDatabase(REPLACED)
    const backup = await storeBackup(format, 'none')
    const file = join(folder, backup.artifacts[0]?.name ?? '')
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(file, bytes)

    expect(read(backup).okLines).toBe(0)
    expect(read(backup, { from: 1 }).okLines).toBe(0)
    expect(await namesOfDatabases()).not.toContain(DESTINATION)
    expect(existsSync(join(base, 'work'))).toBe(false)
  })

  it.each(['custom', 'directory', 'tar'] as const)('fires no event trigger of a %s dump', async (format) => {
    const watched = `it's watched`
    await server.createDatabase(watched)
    try {
      await server.sql(watched, WATCHED)
      const { okLines, errors } = read(await storeBackup(format, 'none', watched), { to: -1 })
      expect(errors).not.toContain('nobody refreshes')
      expect(okLines).toBe(5)
      expect(await server.sql(DESTINATION, 'SELECT tag FROM audit')).toEqual([])
      const about = `SELECT evtname AS name, obj_description(oid) AS comment FROM pg_event_trigger`
      expect(await server.sql(DESTINATION, about)).toEqual([{ name: 'watch', comment: 'watches' }])
    } finally {
      await server.sql('postgres', `DROP DATABASE "${watched}"`)
    }
  })

  it('overwrites no database that exists', async () => {
    await server.createDatabase(DESTINATION)
    await server.sql(DESTINATION, 'CREATE TABLE was_here ()')
    const { okLines } = read(await storeBackup('custom', 'zstd'), { to: -1 })
    expect(okLines).toBe(3)
    expect(await server.sql(DESTINATION, 'SELECT count(*)::int AS tables FROM was_here')).toEqual([
      { tables: 0 },
    ])
  })

  it('goes back', async () => {
    await server.createDatabase(REPLACED)
    await server.sql(REPLACED, 'CREATE TABLE was_here ()')
    const backup = await storeBackup('custom', 'zstd')
    expect(read(backup).okLines).toBe(6)
    const names = { LOADED: ASIDE, ASIDE: DESTINATION }
    expect(read(backup, { from: -1, names })).toMatchObject({ okLines: 1, errors: '' })
    expect(await server.sql(REPLACED, 'SELECT count(*)::int AS tables FROM was_here')).toEqual([
      { tables: 0 },
    ])
    expect(await server.sql(DESTINATION, ROWS)).toEqual(await server.sql(SOURCE, ROWS))
  })

  it.each([
    [
      { localeProvider: 'icu', locale: "de'x", icuRules: '&a < b' },
      ['--icu-locale=de', '--icu-rules=&a < b'],
    ],
    [{ localeProvider: 'builtin', locale: 'C.UTF-8' }, ['--builtin-locale=C.UTF-8']],
  ])('creates it with its own locale: %j', (details, options) => {
    const part = { command: 'cat data-1.dump', sizeBytes: 1, sha256: 'a'.repeat(64) }
    const attachments = { settings: null, contents: null, globals: null }
    const about = { format: 'custom', serverVersion: '17.2', toolVersion: 'pg_dump 17.2' }
    const text = restoreSteps({ ...about, details, data: part, attachments })
    for (const option of options) expect(text).toContain(option)
  })
})

async function namesOfDatabases(): Promise<readonly unknown[]> {
  return (await server.sql('postgres', 'SELECT datname FROM pg_database')).map(({ datname }) => datname)
}

interface Reading {
  readonly from?: number
  readonly to?: number
  readonly on?: PostgresServer
  readonly names?: Readonly<Record<string, string>>
}

/** Follows the notes of a backup. */
function read(manifest: UnsignedManifest, { on = server, names = {}, ...blocks }: Reading = {}) {
  const passwordFile = join(base, 'pgpass')
  const { name, password } = on.superuser
  writeFileSync(passwordFile, `*:*:*:${name}:${password}\n`, { mode: 0o600 })
  const env = {
    PGHOST: '127.0.0.1',
    PGPORT: String(on.port),
    PGUSER: name,
    PGPASSFILE: passwordFile,
    WORK: join(base, 'work'),
    ...{ DATABASE: DESTINATION, REPLACED, ASIDE, ...names },
  }
  const notes = restoreNotes(manifest, restoreSteps)
  return follow(notes, { folder, tools: base, programs: dirname(on.programs.psql), env, ...blocks })
}

/** Takes a dump with PostgreSQL's own programs and stores it as a worker does. */
async function storeBackup(format: Format, codec: Compression, database = SOURCE): Promise<UnsignedManifest> {
  const store = (role: Artifact['role'], extension: string, content: Buffer) =>
    storeByHand(folder, role, extension, content, codec)
  const artifacts = [
    await store('data', EXTENSION[format], dump(format, database)),
    await store('settings', 'sql', Buffer.from(SETTINGS)),
    await store('contents', 'json', Buffer.from('{}')),
    await store('globals', 'sql', run('pg_dumpall', '--globals-only', '--no-role-passwords')),
  ]
  return makeManifest({
    ...{ engine: 'postgres', format, artifacts, compression: codec },
    ...{ serverVersion: '15.0', toolVersion: 'pg_dump 15.0' },
    engineDetails: { encoding: 'LATIN1', collate: 'C', ctype: 'C', localeProvider: 'libc' },
  })
}

function dump(format: Format, database: string): Buffer {
  const options = ['-w', '-d', `dbname='${database.replaceAll(/[\\']/g, '\\$&')}'`]
  if (format !== 'directory') return run('pg_dump', `--format=${format}`, ...options)
  const directory = join(base, 'dumped')
  run('pg_dump', '--format=directory', '--jobs=2', `--file=${directory}`, ...options)
  return run('tar', '-c', '-f', '-', '-C', directory, ...readdirSync(directory))
}

function run(program: string, ...options: readonly string[]): Buffer {
  const { name, password } = server.superuser
  const directory = dirname(server.programs.psql)
  const env = { PATH: `${directory}:${process.env.PATH}`, PGUSER: name, PGPASSWORD: password }
  const done = spawnSync(program, options, {
    env: { ...env, PGHOST: '127.0.0.1', PGPORT: String(server.port) },
    maxBuffer: 1 << 26,
  })
  expect(done.stderr.toString()).toBe('')
  return done.stdout
}
