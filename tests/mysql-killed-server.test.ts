import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MariadbServer } from '@holdfast/testing'
import { fingerprintDifferences, mysqlFingerprintOf, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DyingFleet } from './support/dying-fleet.ts'
import { startDyingFleet } from './support/dying-fleet.ts'
import { ourSchemas, sessionsLeft } from './support/mysql-bench.ts'
import { newShop, OLD_SHOP, WATCH } from './support/mysql-shop.ts'
import { addTarget, ask, carryOut, outcomeOf } from './support/operations.ts'
import type { System } from './support/system.ts'
import { startSystem } from './support/system.ts'

const WORKER = new URL('./support/mysql-dying-worker.ts', import.meta.url)
const LEASE_MS = 1000
const KILLED_WITHIN_MS = 30_000
/** Longer than a worker needs to be missed. */
const AWAY_MS = 2_000

/** Tables are being hidden, with their triggers; being renamed; shown; the end is being noted. */
const SWAPS = [
  'step-2.server',
  'step-6.2ms.server',
  'step-10.server',
  'step-11.1ms.server',
  'step-done.server',
  'step-ended.server',
]
const BOTH = ['restore-step-6.1ms.both', 'undo-step-5.both', 'undo-step-ended.both']

describe('a MariaDB that is killed in the middle of a swap', { timeout: 120_000 }, () => {
  let server: MariadbServer
  let system: System
  let fleet: DyingFleet
  let path: string
  let wanted: readonly string[]
  let replaced: readonly string[]

  beforeAll(async () => {
    server = await startMariadb({ settings: { 'event-scheduler': 'ON' } })
    await server.sql(null, WATCH)
    await server.createDatabase('new', 'CHARACTER SET utf8mb4')
    await server.sql('new', newShop(2000))
    wanted = await mysqlFingerprintOf(server.urlOf('new'))
    const env = {
      HOLDFAST_LEASE_MS: String(LEASE_MS),
      HOLDFAST_TEST_SERVER_PID_FILE: join(server.directory, 'pid'),
    }
    system = await startSystem({ workers: 0, env })
    fleet = startDyingFleet(system, WORKER, ['restore', 'backup'], () => {})
    await system.ready()
    await addTarget(system, 'new', server.urlOf('new'))
    const { backupId } = await carryOut(system, '/v1/backups', { target: 'new' })
    path = `/v1/backups/${backupId}/restore`
  })
  afterAll(async () => {
    await fleet?.disband()
    await system?.stop()
    await server?.stop()
  })

  async function addOld(name: string): Promise<void> {
    await server.createDatabase(name, 'CHARACTER SET latin1')
    await server.sql(name, OLD_SHOP)
    replaced = await mysqlFingerprintOf(server.urlOf(name))
    await addTarget(system, name, server.urlOf(name))
  }

  const restore = (target: string) =>
    ask(system, path, { into: { target }, dryRun: false, overwrite: true, confirm: target })

  /** Waits for the moment that is in the name, ends the server there, and starts it again. */
  async function killAt(name: string, awayMs = 0): Promise<void> {
    const deadline = performance.now() + KILLED_WITHIN_MS
    while (!existsSync(join(system.directory, 'graves', name))) {
      if (performance.now() > deadline)
        throw new Error(`nothing happened at ${name}: ${system.output().slice(-4000)}`)
      await sleep(5)
    }
    await server.kill()
    await sleep(awayMs)
    await server.resume()
  }

  const differences = async (name: string, expected: readonly string[]) =>
    fingerprintDifferences(expected, await mysqlFingerprintOf(server.urlOf(name)))

  async function requireUndone(name: string, restoreId: string): Promise<void> {
    expect(await carryOut(system, `/v1/operations/${restoreId}/undo`)).toMatchObject({ error: null })
    expect(await differences(name, replaced)).toEqual([])
    expect(await ourSchemas(server)).toEqual([])
  }

  it.each(SWAPS)('at %s is waited for, and the restore carried to its end', async (moment) => {
    const name = `restore-${moment}`
    await addOld(name)
    const id = await restore(name)
    await killAt(name)
    const outcome = await outcomeOf(system, id)
    expect(outcome).toMatchObject({ state: 'completed', error: null, attempts: 1 })
    expect(await differences(name, wanted)).toEqual([])
    await requireUndone(name, id)
  })

  it.each(BOTH)('at %s is gone on with by another worker, when it is back', async (name) => {
    await addOld(name)
    const isUndo = name.startsWith('undo')
    const restoreId = await restore(name)
    if (isUndo) expect(await outcomeOf(system, restoreId)).toMatchObject({ error: null })
    const id = isUndo ? await ask(system, `/v1/operations/${restoreId}/undo`) : restoreId
    await killAt(name, AWAY_MS)
    expect(await outcomeOf(system, id)).toMatchObject({ state: 'completed', error: null })
    expect(await differences(name, isUndo ? replaced : wanted)).toEqual([])
    if (!isUndo) await requireUndone(name, id)
  })

  it('leaves nothing behind', async () => {
    expect(await ourSchemas(server)).toEqual([])
    expect(await sessionsLeft(server)).toEqual([])
    const ran = await server.sql(null, "SELECT 1 FROM watch.ran WHERE place LIKE 'holdfast%'")
    expect(ran).toEqual([])
  })
})
