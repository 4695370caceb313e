import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresServer } from '@holdfast/testing'
import {
  fingerprintDifferences,
  postgresFingerprintOf,
  seedEverything,
  seedServer,
  startPostgres,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addTarget, carryOut } from './support/operations.ts'
import { ourDatabases, sessionsLeft } from './support/postgres-bench.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const
const KEPT_MS = 4_000

/** Loses, adds and changes a little of everything that is easily forgotten. */
const CHANGES = `
  SET search_path = public;
  DROP TABLE app.texts CASCADE;
  UPDATE app.numbers SET big = 1;
  CREATE TABLE public.extra AS SELECT 1 AS one;
  SELECT setval('app.called', 471), lo_unlink(4001), lo_from_bytea(4999, 'another');
  REVOKE ALL ON SCHEMA app FROM PUBLIC;
  COMMENT ON SCHEMA app IS 'changed'`
const changesOfDatabase = (name: string) => `
  ALTER DATABASE "${name}" OWNER TO hf_reader;
  ALTER DATABASE "${name}" SET work_mem = '9MB';
  ALTER DATABASE "${name}" CONNECTION LIMIT 55;
  COMMENT ON DATABASE "${name}" IS 'changed'`

describe('a PostgreSQL database of everything', { timeout: 180_000 }, () => {
  let system: System
  let here: PostgresServer
  let there: PostgresServer
  let original: readonly string[]

  beforeAll(async () => {
    const start = () => startPostgres({ settings: { wal_level: 'logical' } })
    ;[here, there] = await Promise.all([start(), start()])
    const space = async (server: PostgresServer) => ({
      tablespaceDirectory: await server.makeDirectory('space'),
    })
    const options = { ...(await space(here)), subscription: true }
    for (const format of FORMATS) await seedEverything(await here.createDatabase(format), options)
    await seedServer(there.url, await space(there))
    original = await postgresFingerprintOf(here.urlOf('custom'))
    system = await startSystem({ env: { HOLDFAST_CONCURRENCY: '2' } })
    for (const format of FORMATS) await addTarget(system, format, here.urlOf(format), { format })
  }, 180_000)
  afterAll(async () => {
    await system?.stop()
    await Promise.all([here?.stop(), there?.stop()])
  })

  const differencesAt = async (url: string, wanted = original) =>
    fingerprintDifferences(wanted, await postgresFingerprintOf(url))

  describe.each(FORMATS)('in format %s', (format) => {
    let path: string

    beforeAll(async () => {
      expect(await differencesAt(here.urlOf(format))).toEqual([])
      const backup = await carryOut(system, '/v1/backups', { target: format, verify: 'structure' })
      expect(backup).toMatchObject({ state: 'completed', error: null })
      path = `/v1/backups/${backup.backupId}`
      const { body } = await system.call('GET', path)
      expect(body).toMatchObject({ engine: 'postgres', format, status: 'completed' })
      expect(body.recordCount).toBeGreaterThan(100)
    })

    it('is restored on another server, under another name', async () => {
      const url = there.urlOf(`copy of ${format}`)
      const restored = await carryOut(system, `${path}/restore`, { into: { url }, dryRun: false })
      expect(restored).toMatchObject({ state: 'completed', error: null, result: { replaced: null } })
      expect(await differencesAt(url)).toEqual([])
    })

    it('is restored over what it has become, and that comes back exactly', async () => {
      const url = here.urlOf(format)
      await here.sql(format, CHANGES)
      await here.sql('postgres', changesOfDatabase(format))
      const changed = await postgresFingerprintOf(url)
      expect(fingerprintDifferences(original, changed)).not.toEqual([])

      const consent = { into: { target: format }, dryRun: false, overwrite: true, confirm: format }
      const restored = await carryOut(system, `${path}/restore`, consent)
      expect(restored).toMatchObject({ state: 'completed', error: null })
      expect(await differencesAt(url)).toEqual([])
      const { body: kept } = await system.call('GET', '/v1/replaced')
      const [aside = ''] = await ourDatabases(here)
      expect(aside).toMatch(/^holdfast_old_/)
      expect(kept.items).toMatchObject([
        { operationId: restored.id, location: expect.stringContaining(aside) },
      ])
      expect(await differencesAt(here.urlOf(aside), changed)).toEqual([])

      const undone = await carryOut(system, `/v1/operations/${restored.id}/undo`)
      expect(undone).toMatchObject({ state: 'completed', error: null })
      expect(await differencesAt(url, changed)).toEqual([])
      expect((await system.call('GET', '/v1/replaced')).body.items).toEqual([])
      expect(await ourDatabases(here)).toEqual([])
    })
  })

  it('is proven by a drill in every format, of which nothing stays', async () => {
    for (const format of FORMATS) {
      const { body } = await system.call('GET', `/v1/backups/latest?target=${format}`)
      const drill = await carryOut(system, `/v1/backups/${body.id}/verify`, { level: 'restore' })
      expect(drill, format).toMatchObject({ error: null, result: { verification: { valid: true } } })
    }
    expect(await ourDatabases(here)).toEqual([])
  })

  it('leaves what it replaced until that expires, and no longer', async () => {
    for (const worker of system.workers) await worker.kill('SIGTERM')
    system.startWorker(undefined, { HOLDFAST_KEEP_REPLACED_HOURS: (KEPT_MS / 3_600_000).toFixed(6) })
    const { body: latest } = await system.call('GET', '/v1/backups/latest?target=custom')
    const consent = { into: { target: 'custom' }, dryRun: false, overwrite: true, confirm: 'custom' }
    const restored = await carryOut(system, `/v1/backups/${latest.id}/restore`, consent)
    expect(restored.error).toBeNull()
    // at once: it is not kept for long
    const before = await carryOut(system, '/v1/retention/apply')
    expect(before.result).toMatchObject({ replacedRemoved: [], failures: [] })
    expect(await ourDatabases(here)).toHaveLength(1)
    expect(await differencesAt(here.urlOf('custom'))).toEqual([])

    await sleep(Math.max(0, Date.parse(restored.result.replaced.until) - Date.now()))
    expect((await system.call('GET', '/v1/replaced')).body.items).toHaveLength(1)
    const after = await carryOut(system, '/v1/retention/apply')
    expect(after.result).toMatchObject({ replacedRemoved: [restored.id], failures: [] })
    expect((await system.call('GET', '/v1/replaced')).body.items).toEqual([])
    expect(await ourDatabases(here)).toEqual([])
    expect((await system.call('POST', `/v1/operations/${restored.id}/undo`)).status).toBe(409)
  })

  it('belongs to whoever restores it, if that is asked for', async () => {
    const { body: latest } = await system.call('GET', '/v1/backups/latest?target=custom')
    const url = there.urlOf('owned')
    const asked = { into: { url }, dryRun: false, keepOwners: false }
    const restored = await carryOut(system, `/v1/backups/${latest.id}/restore`, asked)
    expect(restored).toMatchObject({ state: 'completed', error: null })
    // privileges, settings of roles, and what is known of the system's own objects: that is privileges, too
    const expected = /owner|acl|datdba|^only in the first: (?:settings of|system) /
    expect((await differencesAt(url)).filter((line) => !expected.test(line))).toEqual([])
    const [{ owners } = { owners: null }] = await there.sql(
      'owned',
      `SELECT array_agg(DISTINCT pg_get_userbyid(relowner)::text) AS owners FROM pg_class WHERE oid >= 16384`,
    )
    expect(owners).toEqual([there.superuser.name])
  })

  it('leaves no session behind', async () => {
    for (const server of [here, there]) expect(await sessionsLeft(server)).toEqual([])
  })
})
