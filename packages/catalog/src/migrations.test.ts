import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '@holdfast/core'
import type { PostgresServer, TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, rejectsWith, startPostgres } from '@holdfast/testing'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { MIGRATIONS } from './migrations/index.ts'
import { openCatalog } from './open-catalog.ts'
import { createPostgresEngine } from './postgres/postgres-engine.ts'
import type { SchemaFacts } from './sql/engine.ts'
import { createSqliteEngine } from './sqlite/sqlite-engine.ts'

/** A database of its own for each test, and a way to it that does not lead through the catalog. */
interface Subject {
  makeUrl(): Promise<string>
  run(url: string, statement: string): Promise<readonly object[]>
  readonly schema: SchemaFacts
}

const PROCESSES = 8
const PROGRAM = `
  import { openCatalog } from ${JSON.stringify(join(import.meta.dirname, 'open-catalog.ts'))}
  const applied = []
  const logger = { info: (fields) => applied.push(...(fields.migrations ?? [])), debug() {}, warn() {}, error() {} }
  const catalog = await openCatalog({ url: process.argv[1], clock: { now: Date.now }, logger, busyTimeoutMs: 20_000 })
  await catalog.knowStorage('default', 'one')
  process.stdout.write(JSON.stringify({ id: catalog.id, applied }))
  await catalog.close()`

describe('migrations on SQLite', () => {
  let directory: TemporaryDirectory
  let made = 0
  beforeAll(async () => {
    directory = await makeTemporaryDirectory('migrations')
  })
  afterAll(() => directory.remove())

  describeMigrations({
    schema: createSqliteEngine({ leaseNowMs: () => 0, deadlineMs: 0 }).schema,
    async makeUrl() {
      made += 1
      return `sqlite:${join(directory.path, `${made}.sqlite`)}`
    },
    async run(url, statement) {
      const tables = new Sqlite(url.slice('sqlite:'.length))
      try {
        const prepared = tables.prepare<[], object>(statement)
        if (prepared.reader) return prepared.all()
        prepared.run()
        return []
      } finally {
        tables.close()
      }
    },
  })

  it('leave a file alone that is no database', async () => {
    const file = join(import.meta.dirname, 'migrations.test.ts')
    const before = await readFile(file)
    await rejectsWith('CATALOG_MISMATCH', openCatalog({ url: `sqlite:${file}`, clock: systemClock }))
    assert.deepEqual(await readFile(file), before)
  })
})

describe('migrations on PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  describeMigrations({
    schema: createPostgresEngine(null).schema,
    makeUrl: () => server.createDatabase(),
    async run(url, statement) {
      const client = new pg.Client(url)
      await client.connect()
      try {
        return (await client.query<object>(statement)).rows
      } finally {
        await client.end()
      }
    },
  })
})

function describeMigrations(subject: Subject): void {
  it('are applied once when eight processes start on an empty catalog', async () => {
    const url = await subject.makeUrl()
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM, url])
    const outputs = await Promise.all(Array.from({ length: PROCESSES }, run))
    const opened: { id: string; applied: string[] }[] = outputs.map(({ stdout }) => JSON.parse(stdout))
    assert.equal(new Set(opened.map(({ id }) => id)).size, 1)
    assert.deepEqual(
      opened.flatMap(({ applied }) => applied),
      MIGRATIONS.map(({ name }) => name),
    )
    const rows = await subject.run(url, 'select version, name from catalog_migrations order by version')
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      MIGRATIONS.map(({ version, name }) => ({ version, name })),
    )
  })

  it('are numbered from one without gaps', () => {
    assert.deepEqual(
      MIGRATIONS.map(({ version }) => version),
      MIGRATIONS.map((_, index) => index + 1),
    )
  })

  it('keep the catalog and its id when it is opened again', async () => {
    const url = await subject.makeUrl()
    const first = await openCatalog({ url, clock: systemClock })
    await first.keys.add({ name: 'ci', role: 'viewer', sha256: 'x' })
    await first.close()
    const second = await openCatalog({ url, clock: systemClock })
    assert.equal(second.id, first.id)
    assert.equal((await second.keys.list()).length, 1)
    await second.close()
  })

  it('refuse a catalog of a newer version', async () => {
    const url = await subject.makeUrl()
    await (await openCatalog({ url, clock: systemClock })).close()
    await subject.run(url, `insert into catalog_migrations values (999, 'from-the-future', '2030-01-01')`)
    const error = await rejectsWith('CATALOG_MISMATCH', openCatalog({ url, clock: systemClock }))
    assert.match(error.message, /newer version/)
  })

  it('refuse a database that holds something else', async () => {
    const url = await subject.makeUrl()
    await subject.run(url, 'create table orders (id integer)')
    await rejectsWith('CATALOG_MISMATCH', openCatalog({ url, clock: systemClock }))
    await assert.rejects(subject.run(url, 'select * from meta'))
  })

  it('bring a catalog of the first release up to date with all that is in it', async () => {
    const url = await subject.makeUrl()
    for (const statement of firstRelease(subject.schema)) await subject.run(url, statement)
    const catalog = await openCatalog({ url, clock: systemClock })
    try {
      assert.equal(catalog.id, 'first-catalog')
      const backup = await catalog.backups.get('nightly')
      assert.deepEqual([backup.database, backup.groupId, backup.facts?.counting], [null, null, 'exact'])
      assert.deepEqual(await catalog.backups.latest('shop', null), backup)
      const [unfinished] = await catalog.operations.listUnfinished()
      assert.equal(unfinished?.operation.id, 'o1')
      const acquired = await catalog.operations.acquire({ operationId: 'o1', token: 't', leaseMs: 1000 })
      assert.ok(acquired.granted)
      await catalog.operations.setJournal(acquired.held, 'begun')
      await catalog.operations.pause(acquired.held, { phase: 'waiting', progress: { bytes: 0 } })
    } finally {
      await catalog.close()
    }
  })
}

/** What the first release would have made, with a finished backup and one that nobody has begun. */
function firstRelease(schema: SchemaFacts): readonly string[] {
  const backup = `insert into backups (id, name, target, engine, mode, kind, status, compression, encryption, storage,
    labels, pinned, requested_by, created_at, suspicious, consistent_at, facts)`
  const rest = `'none', 'none', 'default', '{}', 0, 'me', '2026-01-01', 0`
  return [
    ...(MIGRATIONS[0]?.statements(schema) ?? []),
    'create table catalog_migrations (version integer primary key, name text not null, applied_at text not null)',
    `insert into catalog_migrations values (1, 'first-schema', '2026-01-01')`,
    `insert into meta values ('catalog_id', 'first-catalog')`,
    `${backup} values ('b0', 'nightly', 'shop', 'sqlite', 'full', 'manual', 'completed', ${rest}, '2026-01-01', '{}')`,
    `${backup} values ('b1', null, 'shop', 'sqlite', 'full', 'manual', 'pending', ${rest}, null, null)`,
    `insert into operations (id, job_id, type, request, backup_id, lock_key, state, progress, requested_by, attempts,
      cancel_requested, not_before, created_at) values ('o1', 'o1', 'backup', '{"type":"backup","target":"shop"}',
      'b1', 'k', 'queued', '{}', 'me', 0, 0, 0, '2026-01-01')`,
  ]
}
