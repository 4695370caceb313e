import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { integrityOf, makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { sweepNow } from './support/sweep.ts'
import type { ServiceProcess, System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'

const FREEZING = fileURLToPath(new URL('./support/dying-worker.ts', import.meta.url))
const LEASE_MS = 1000

/** Where it freezes, and when it wakes: while the other one works, or when that is done. */
type Freeze = readonly [moment: string, wake: 'in the middle' | 'later']

describe('a worker frozen past its lease', () => {
  let system: System
  let survivor: ServiceProcess

  beforeAll(async () => {
    system = await startSystem({ env: { HOLDFAST_LEASE_MS: String(LEASE_MS) } })
    const [first] = system.workers
    if (first === undefined) throw new Error('no worker')
    survivor = first
  })
  afterAll(() => system?.stop())

  /** Lets a worker take the operation and freeze, lets another one take over, and wakes the first then or later. */
  async function freezeOnce([moment, wake]: Freeze, path: string, body: object) {
    await survivor.kill('SIGTERM')
    const { body: accepted } = await system.call('POST', path, body)
    const env = { HOLDFAST_TEST_DIE_AT: moment, HOLDFAST_TEST_SIGNAL: 'SIGSTOP' }
    const frozen = system.startWorker(FREEZING, env)
    await untilStopped(frozen)
    survivor = system.startWorker()
    if (wake === 'in the middle') await untilTakenOver(accepted.id)
    // where the frozen one holds the database itself, the other one can only try
    else await Promise.race([finished(system, accepted.id), sleep(LEASE_MS * 5)])
    frozen.child.kill('SIGCONT')
    const operation = await finished(system, accepted.id)
    await sleep(LEASE_MS)
    expect(frozen.child.exitCode, frozen.output()).toBeNull()
    await frozen.kill('SIGKILL')
    return operation
  }

  async function untilTakenOver(operationId: string): Promise<void> {
    const deadline = performance.now() + 20_000
    while ((await system.call('GET', `/v1/operations/${operationId}`)).body.attempts < 2) {
      if (performance.now() > deadline) throw new Error(`not taken over: ${survivor.output()}`)
      await sleep(5)
    }
  }

  const backups: readonly Freeze[] = [
    ['storing', 'in the middle'],
    ['before-manifest', 'later'],
    ['after-manifest', 'in the middle'],
    ['before-end', 'later'],
  ]
  for (const [moment, wake] of backups) {
    it(`at '${moment}' of a backup, woken ${wake}, lets one good backup be listed`, async () => {
      const name = `backup-${moment}-${wake.length}`
      const file = join(system.directory, `${name}.db`)
      makeDatabase(file, name)
      expect((await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })).status).toBe(201)
      const operation = await freezeOnce([moment, wake], '/v1/backups', { target: name })
      expect(operation).toMatchObject({ state: 'completed', error: null })
      const { body: listed } = await system.call('GET', `/v1/backups?target=${name}`)
      expect(listed.items.map((backup: { status: string }) => backup.status)).toEqual(['completed'])
      const verified = await carryOut(system, `/v1/backups/${operation.backupId}/verify`, {
        level: 'restore',
      })
      expect(verified.error).toBeNull()
    })
  }

  const restores: readonly Freeze[] = [
    ['staged', 'later'],
    ['swap-begins', 'in the middle'],
    ['swap-confirmed', 'later'],
    ['before-end', 'later'],
  ]
  for (const [moment, wake] of restores) {
    it(`at '${moment}' of a restore, woken ${wake}, lets it happen once, and undo it`, async () => {
      const name = `restore-${moment}-${wake.length}`
      const file = join(system.directory, `${name}.db`)
      makeDatabase(file, 'new')
      const wanted = rowsOf(file)
      expect((await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })).status).toBe(201)
      const backup = await carryOut(system, '/v1/backups', { target: name })
      rewriteDatabase(file, 'old')
      const replaced = rowsOf(file)
      const consent = { into: { target: name }, dryRun: false, overwrite: true, confirm: name }
      const operation = await freezeOnce([moment, wake], `/v1/backups/${backup.backupId}/restore`, consent)
      expect(operation).toMatchObject({ state: 'completed', error: null })
      expect(integrityOf(file)).toBe('ok')
      expect(rowsOf(file)).toEqual(wanted)
      const undone = await carryOut(system, `/v1/operations/${operation.id}/undo`, undefined)
      expect(undone.error).toBeNull()
      expect(rowsOf(file)).toEqual(replaced)
      const beside = (await readdir(system.directory)).filter((entry) => entry.startsWith(`.${name}`))
      expect(beside).toEqual([])
    })
  }

  it('leaves nothing of what it had stored after the sweep', async () => {
    await sleep(LEASE_MS * 3 + 500)
    await sweepNow(system)
    const storage = join(system.dataDir, 'storage')
    expect(await readdir(join(storage, '.partial'))).toEqual([])
    const { body } = await system.call('GET', '/v1/backups?limit=200')
    for (const backup of body.items) {
      const names = await readdir(join(storage, backup.target, backup.id))
      expect(names.toSorted()).toEqual([
        'RESTORE.md',
        expect.stringMatching(/^data-\d+\.sqlite\.zst$/),
        'manifest.json',
        'state.json',
      ])
    }
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
  })
})

async function untilStopped({ pid, output }: ServiceProcess): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return
    if (performance.now() > deadline) throw new Error(`the worker did not freeze: ${output()}`)
    await sleep(20)
  }
}
