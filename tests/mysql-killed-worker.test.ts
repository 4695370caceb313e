import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldMariadbSession, MariadbServer } from '@holdfast/testing'
import { fingerprintDifferences, mysqlFingerprintOf, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DyingFleet } from './support/dying-fleet.ts'
import { startDyingFleet } from './support/dying-fleet.ts'
import { ourSchemas, sessionsLeft } from './support/mysql-bench.ts'
import { newShop, OLD_SHOP, WATCH } from './support/mysql-shop.ts'
import { addTarget, ask, carryOut, outcomeOf } from './support/operations.ts'
import { secret, secretsBelow } from './support/secret-search.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const WORKER = new URL('./support/mysql-dying-worker.ts', import.meta.url)
const LEASE_MS = 1000
const QUEUES = ['backup', 'restore', 'restore', 'restore', 'verify,retention,maintenance']
const ITEMS = 8_000

const BACKUPS = ['dump-begins', 'locked', 'seen-dumping', 'dump-done', 'storing', 'after-manifest']
const RESTORES = [
  ...['staging', 'seen-loading', 'staged', 'swap-begins', 'swap-confirmed'],
  ...['swap-done', 'before-end', 'after-end'],
]
/**
 * In the middle of an exchange a schema is neither old nor new. Tests of the driver crash it at every change: here are
 * those after which clients see something else.
 */
const STEPS = ['swap-confirmed.5ms', ...numbered('step', [0, 3, 6, 9, 11, 13]), 'step-done']
/** Somebody keeps a lock until they are dead: they die on the way back, which others have to go to its end. */
const WAYS_BACK = ['back-3', 'back-0']
const UNDOS = ['undo-begins', 'step-5', 'step-12', 'undo-done']
const DRILLS = ['check-begins', 'seen-loading', 'comparing']
const REMOVALS = ['removal-begins', 'removal-begins.10ms']

function numbered(kind: string, steps: readonly number[]): readonly string[] {
  return steps.map((step) => `${kind}-${step}`)
}

/** What a worker died of is in the name of the target and of its schema. */
const named = (kind: string, moments: readonly string[]) => moments.map((moment) => `${kind}-${moment}`)
const BLOCKED = named('restore', WAYS_BACK)
const RESTORED = named('restore', [...RESTORES, ...STEPS, ...WAYS_BACK])
const REPLACED = [...named('undo', UNDOS), ...named('retention', REMOVALS)]
const DESTINATIONS = [...RESTORED, ...REPLACED]
const SOURCES = [...named('backup', BACKUPS), ...named('verify', DRILLS)]
/** Of these it is known at any time whether they are old or new. */
const WHOLE = [...named('restore', RESTORES), 'undo-undo-begins', 'undo-undo-done']

type Operation = Awaited<ReturnType<typeof outcomeOf>>

describe('a worker that is killed', { timeout: 240_000 }, () => {
  let server: MariadbServer
  let system: System
  let fleet: DyingFleet
  let temporary: string
  let wanted: readonly string[]
  let replaced: readonly string[]
  const held = new Map<string, HeldMariadbSession>()
  /** What a schema was like right after a worker had died over it. */
  const seen = new Map<string, Promise<string>>()
  const restored = new Map<string, Promise<string>>()
  let undone: ReadonlyMap<string, Operation>
  let operations: ReadonlyMap<string, Operation>

  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'holdfast-killed-'))
    server = await startMariadb({ settings: { 'event-scheduler': 'ON' } })
    await server.sql(null, WATCH)
    await Promise.all([fillSources(), fillDestinations()])
    wanted = await mysqlFingerprintOf(server.urlOf('new'))
    replaced = await mysqlFingerprintOf(server.urlOf(DESTINATIONS[0] ?? ''))
    system = await startSystem({
      workers: 0,
      env: {
        ...{ HOLDFAST_LEASE_MS: String(LEASE_MS), HOLDFAST_KEEP_REPLACED_HOURS: '0.0001' },
        TMPDIR: temporary,
      },
    })
    fleet = startDyingFleet(system, WORKER, QUEUES, (names) => {
      for (const name of names) {
        void held.get(name)?.release()
        seen.set(name, WHOLE.includes(name) ? stateOf(name) : Promise.resolve('dead'))
      }
    })
    await system.ready()
    const optionsOf = (name: string) =>
      DESTINATIONS.includes(name) ? `lock_timeout=${lockTimeoutOf(name)}` : 'brief_lock=on'
    const targets = ['new', ...SOURCES, ...DESTINATIONS]
    await Promise.all(
      targets.map((name) => addTarget(system, name, `${server.urlOf(name)}?${optionsOf(name)}`)),
    )
    await killThemAll()
    await endThemAll()
    await fleet.disband()
  }, 240_000)
  afterAll(async () => {
    await Promise.all([...held.values()].map((session) => session.release()))
    await fleet?.disband()
    await system?.stop()
    await server?.stop()
    await rm(temporary, { recursive: true, force: true })
  })

  const lockTimeoutOf = (name: string) => (BLOCKED.includes(name) ? 1000 : 30_000)

  async function fillSources(): Promise<void> {
    for (const name of ['new', ...SOURCES]) {
      await server.createDatabase(name, 'CHARACTER SET utf8mb4')
      await server.sql(name, newShop(name === 'backup-seen-dumping' ? ITEMS * 10 : ITEMS))
    }
  }

  async function fillDestinations(): Promise<void> {
    for (const name of DESTINATIONS) {
      await server.createDatabase(name, 'CHARACTER SET latin1')
      await server.sql(name, OLD_SHOP)
    }
  }

  /** Old or new; anything else in words. A look that met an exchange is taken again. */
  async function stateOf(name: string): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await mysqlFingerprintOf(server.urlOf(name)).catch((error) => [String(error)])
      if (fingerprintDifferences(wanted, found).length === 0) return 'new'
      const differences = fingerprintDifferences(replaced, found)
      if (differences.length === 0) return 'old'
      if (attempt > 20 || !(await isExchanged())) return differences.join('\n')
      await sleep(50)
    }
  }

  async function isExchanged(): Promise<boolean> {
    const open = await server.sql(
      null,
      `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE 'holdfast\\_%' AND TABLE_NAME = 'holdfast~journal'
       AND TABLE_COMMENT RLIKE '^(for|back)ward'`,
    )
    return open.length > 0
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
    for (const name of BLOCKED) held.set(name, await server.hold(name, 'SELECT changing()'))
    for (const name of named('undo', UNDOS))
      asked.set(name, await ask(system, `/v1/operations/${prepared.get(name)?.id}/undo`))
    for (const name of RESTORED) asked.set(name, await restore(backupId, name))
    for (const name of named('verify', DRILLS)) {
      const path = `/v1/backups/${prepared.get(name)?.backupId}/verify`
      asked.set(name, await ask(system, path, { level: 'restore' }))
    }
    operations = await allOf(asked)
    await Promise.all(seen.values())
  }

  /** What is there afterwards is undone, restored and removed. */
  async function endThemAll(): Promise<void> {
    for (const name of RESTORED) restored.set(name, stateOf(name))
    await Promise.all(restored.values())
    const asked = new Map<string, string>()
    for (const name of RESTORED)
      asked.set(name, await ask(system, `/v1/operations/${operations.get(name)?.id}/undo`))
    for (const name of named('backup', BACKUPS)) {
      const into = { url: server.urlOf(`copy of ${name}`) }
      const path = `/v1/backups/${operations.get(name)?.backupId}/restore`
      asked.set(`copy of ${name}`, await ask(system, path, { into, dryRun: false }))
    }
    undone = await allOf(asked)
    for (const _ of REMOVALS) await carryOut(system, '/v1/retention/apply')
  }

  async function allOf(asked: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Operation>> {
    const ended = new Map<string, Operation>()
    for (const [name, id] of asked) ended.set(name, await outcomeOf(system, id, 180_000))
    return ended
  }

  it.each(named('backup', BACKUPS))('%s: leaves one good backup, which restores', async (name) => {
    expect(fleet.graves()).toContain(name)
    const operation = operations.get(name) ?? {}
    expect(operation).toMatchObject({ state: 'completed', error: null })
    const { body: listed } = await system.call('GET', `/v1/backups?target=${name}`)
    expect(listed.items).toMatchObject([{ id: operation.backupId, status: 'completed' }])
    const [source, copy] = [name, `copy of ${name}`].map((each) => mysqlFingerprintOf(server.urlOf(each)))
    expect(fingerprintDifferences((await source) ?? [], (await copy) ?? [])).toEqual([])
  })

  it.each(RESTORED)('%s: the restore ends, and is undone', async (name) => {
    expect(fleet.graves()).toContain(name)
    if (WHOLE.includes(name)) expect(['old', 'new']).toContain(await seen.get(name))
    expect(operations.get(name)).toMatchObject({ state: 'completed', error: null })
    expect(await restored.get(name)).toBe('new')
    expect(undone.get(name)).toMatchObject({ state: 'completed', error: null })
    expect(await stateOf(name)).toBe('old')
  })

  it.each(named('undo', UNDOS))('%s: the undoing ends', async (name) => {
    expect(fleet.graves()).toContain(name)
    if (WHOLE.includes(name)) expect(['old', 'new']).toContain(await seen.get(name))
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

  it('leaves no schema, no session and no kept data behind', async () => {
    expect((await system.call('GET', '/v1/replaced')).body.items).toEqual([])
    expect(await ourSchemas(server)).toEqual([])
    expect(await sessionsLeft(server)).toEqual([])
  })

  it('leaves nothing in scratch, and no password in any file', async () => {
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
    const password = secret('password', server.administrator.password)
    for (const directory of [system.dataDir, temporary])
      expect(await secretsBelow(directory, [password])).toEqual([])
    expect(await readdir(temporary)).toEqual([])
  })

  it('runs the events of nothing but the schemas themselves', async () => {
    const ran = await server.sql(null, 'SELECT DISTINCT place FROM watch.ran')
    const places = ran.map(({ place }) => String(place))
    expect(places).toContain('new')
    expect(places.filter((place) => place.startsWith('holdfast_'))).toEqual([])
  })
})
