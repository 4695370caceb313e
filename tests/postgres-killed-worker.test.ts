import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import { fingerprintDifferences, postgresFingerprintOf, startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DyingFleet } from './support/dying-fleet.ts'
import { startDyingFleet } from './support/dying-fleet.ts'
import { addTarget, ask, carryOut, outcomeOf } from './support/operations.ts'
import { ourDatabases, sessionsLeft } from './support/postgres-bench.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const WORKER = new URL('./support/postgres-dying-worker.ts', import.meta.url)
const LEASE_MS = 1000
const QUEUES = ['backup', 'restore', 'restore', 'verify,retention,maintenance']

const BACKUPS = ['dump-begins', 'seen-copying', 'dump-done', 'storing', 'after-manifest']
const RESTORES = [
  ...['staging', 'seen-creating', 'seen-loading', 'seen-indexing', 'seen-analyzing', 'staged'],
  ...['swap-begins', 'swap-confirmed', 'swap-confirmed.1ms', 'swap-confirmed.4ms'],
  ...['swap-confirmed.10ms', 'swap-done', 'before-end', 'after-end'],
]
const UNDOS = [
  ...['undo-begins', 'undo-confirmed', 'undo-confirmed.1ms'],
  ...['undo-confirmed.30ms', 'undo-done', 'before-end'],
]
const DRILLS = ['check-begins', 'seen-creating', 'seen-loading']
const REMOVALS = ['removal-begins', 'removal-begins.30ms']

/** What a worker died of is in the name of the target and of its database. */
const named = (kind: string, moments: readonly string[]) => moments.map((moment) => `${kind}-${moment}`)
const REPLACED = [...named('undo', UNDOS), ...named('retention', REMOVALS)]
const DESTINATIONS = [...named('restore', RESTORES), ...REPLACED]
const SOURCES = [...named('backup', BACKUPS), ...named('verify', DRILLS)]

/** Loading it takes its time: rows, an index and its statistics are slow. */
const NEW = `
  CREATE SCHEMA shop;
  CREATE FUNCTION shop.nap(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN n; END $$;
  CREATE TABLE shop.slow (id int PRIMARY KEY, CHECK (shop.nap(id) > 0));
  INSERT INTO shop.slow SELECT generate_series(1, 20);
  CREATE INDEX slow_index ON shop.slow (shop.nap(id));
  CREATE TABLE shop.items (id int PRIMARY KEY, item text);
  INSERT INTO shop.items SELECT n, md5(n::text) || md5((n * 7)::text) FROM generate_series(1, 20000) n;
  CREATE SEQUENCE shop.numbers START 17;
  SELECT nextval('shop.numbers'), lo_from_bytea(4711, 'a large object')`
/** Long enough for the copying of it to be seen. */
const MORE = 'CREATE TABLE shop.more AS SELECT n, md5(n::text) FROM generate_series(1, 400000) n'
const OLD = `
  CREATE SCHEMA shop;
  CREATE TABLE shop.items (id int PRIMARY KEY, item text, more text);
  INSERT INTO shop.items SELECT n, 'old', 'older' FROM generate_series(1, 100) n`

type Operation = Awaited<ReturnType<typeof outcomeOf>>

describe('a worker that is killed', { timeout: 240_000 }, () => {
  let server: PostgresServer
  let system: System
  let fleet: DyingFleet
  let wanted: readonly string[]
  let replaced: readonly string[]
  /** What a database was like right after a worker had died over it. */
  const seen = new Map<string, Promise<string>>()
  let operations: ReadonlyMap<string, Operation>

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('new')
    await server.sql('new', NEW)
    await server.createDatabase('old')
    await server.sql('old', OLD)
    wanted = await postgresFingerprintOf(server.urlOf('new'))
    replaced = await postgresFingerprintOf(server.urlOf('old'))
    for (const name of SOURCES) await server.createDatabase(name, 'TEMPLATE new')
    await server.sql('backup-seen-copying', MORE)
    for (const name of DESTINATIONS) await server.createDatabase(name, 'TEMPLATE old')
    system = await startSystem({
      workers: 0,
      env: { HOLDFAST_LEASE_MS: String(LEASE_MS), HOLDFAST_KEEP_REPLACED_HOURS: '0.0001' },
    })
    fleet = startDyingFleet(system, WORKER, QUEUES, (names) => {
      for (const name of names)
        seen.set(name, DESTINATIONS.includes(name) ? stateOf(name) : Promise.resolve('dead'))
    })
    await system.ready()
    for (const name of ['new', ...SOURCES, ...DESTINATIONS]) await addTarget(system, name, server.urlOf(name))
    await killThemAll()
    await fleet.disband()
  }, 240_000)
  afterAll(async () => {
    await system?.stop()
    await server?.stop()
  })

  /** Old or new; anything else in words. A look that is interrupted by a swap is taken again. */
  async function stateOf(name: string): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const found = await postgresFingerprintOf(server.urlOf(name))
        if (fingerprintDifferences(wanted, found).length === 0) return 'new'
        const differences = fingerprintDifferences(replaced, found)
        return differences.length === 0 ? 'old' : differences.join('\n')
      } catch (error) {
        // ended by a swap, or come to the door in its midst
        const { code } = error as { code?: string }
        if (!['57P01', '3D000', 'ECONNRESET'].includes(code ?? '') || attempt > 20) return String(error)
        await sleep(50)
      }
    }
  }

  const restore = (backupId: string, target: string) =>
    ask(system, `/v1/backups/${backupId}/restore`, {
      ...{ into: { target }, dryRun: false, overwrite: true, confirm: target },
    })

  /** What is undone, drilled and removed is there before, and nobody dies of that. */
  async function prepare(backupId: string): Promise<ReadonlyMap<string, Operation>> {
    const asked = new Map<string, string>()
    for (const name of named('verify', DRILLS))
      asked.set(name, await ask(system, '/v1/backups', { target: name }))
    for (const name of REPLACED) asked.set(name, await restore(backupId, name))
    return allOf(asked)
  }

  async function killThemAll(): Promise<void> {
    const { backupId } = await carryOut(system, '/v1/backups', { target: 'new' })
    const prepared = await prepare(backupId)
    const asked = new Map<string, string>()
    for (const name of named('backup', BACKUPS))
      asked.set(name, await ask(system, '/v1/backups', { target: name }))
    for (const name of named('undo', UNDOS)) {
      asked.set(name, await ask(system, `/v1/operations/${prepared.get(name)?.id}/undo`))
    }
    for (const name of named('restore', RESTORES)) asked.set(name, await restore(backupId, name))
    for (const name of named('verify', DRILLS)) {
      const path = `/v1/backups/${prepared.get(name)?.backupId}/verify`
      asked.set(name, await ask(system, path, { level: 'restore' }))
    }
    operations = await allOf(asked)
    for (const _ of REMOVALS) await carryOut(system, '/v1/retention/apply')
    await Promise.all(seen.values())
  }

  async function allOf(asked: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Operation>> {
    const ended = new Map<string, Operation>()
    for (const [name, id] of asked) ended.set(name, await outcomeOf(system, id, 180_000))
    return ended
  }

  it.each(named('backup', BACKUPS))('%s: leaves one good backup', async (name) => {
    expect(fleet.graves()).toContain(name)
    const operation = operations.get(name) ?? {}
    expect(operation).toMatchObject({ state: 'completed', error: null })
    const { body: listed } = await system.call('GET', `/v1/backups?target=${name}`)
    expect(listed.items).toMatchObject([{ id: operation.backupId, status: 'completed' }])
    expect(listed.items[0].recordCount).toBeGreaterThanOrEqual(20_021)
  })

  it.each(named('restore', RESTORES))('%s: leaves old or new, and the restore ends', async (name) => {
    expect(fleet.graves()).toContain(name)
    expect(['old', 'new']).toContain(await seen.get(name))
    expect(operations.get(name)).toMatchObject({ state: 'completed', error: null })
    expect(await stateOf(name)).toBe('new')
  })

  it.each(named('undo', UNDOS))('%s: leaves old or new, and the undoing ends', async (name) => {
    expect(fleet.graves()).toContain(name)
    expect(['old', 'new']).toContain(await seen.get(name))
    expect(operations.get(name)).toMatchObject({ state: 'completed', error: null })
    expect(await stateOf(name)).toBe('old')
  })

  it.each(named('verify', DRILLS))('%s: the backup is proven in the end', async (name) => {
    expect(fleet.graves()).toContain(name)
    expect(operations.get(name)).toMatchObject({ state: 'completed', error: null })
    const { body: listed } = await system.call('GET', `/v1/backups?target=${name}`)
    expect(listed.items).toMatchObject([{ verification: { level: 'restore', valid: true } }])
  })

  it.each(named('retention', REMOVALS))('%s: what was replaced is gone', async (name) => {
    expect(fleet.graves()).toContain(name)
    expect(await stateOf(name)).toBe('new')
  })

  it('leaves no database, no session and no kept data behind', async () => {
    expect((await system.call('GET', '/v1/replaced')).body.items).toEqual([])
    expect(await ourDatabases(server)).toEqual([])
    expect(await sessionsLeft(server)).toEqual([])
  })

  it('leaves every backup whole, and nothing beside them', async () => {
    system.startWorker()
    const { body: listed } = await system.call('GET', '/v1/backups?limit=200')
    const expected = listed.items.map(({ target, id }: { target: string; id: string }) => join(target, id))
    const storage = join(system.dataDir, 'storage')
    const files = await readdir(storage, { recursive: true, withFileTypes: true })
    const folders = files.filter((entry) => entry.name === 'manifest.json').map((entry) => entry.parentPath)
    expect(folders.map((path) => path.slice(storage.length + 1)).toSorted()).toEqual(expected.toSorted())
  })
})
