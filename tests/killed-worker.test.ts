import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { integrityOf, makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { MOMENTS } from './support/mortal-parts.ts'
import { sweepNow } from './support/sweep.ts'
import type { ServiceProcess, System } from './support/system.ts'
import { carryOut, finished, sqliteUrl, startSystem } from './support/system.ts'

const DYING = fileURLToPath(new URL('./support/dying-worker.ts', import.meta.url))
const LEASE_MS = 1000
/** Between 'stored' and 'before-manifest' nothing happens. */
const MOMENTS_OF_A_BACKUP = MOMENTS.backup.filter((moment) => moment !== 'stored')
const IN_THE_SWAP = ['swap-confirmed.1ms', 'swap-confirmed.5ms', 'swap-confirmed.20ms'] as const
const MOMENTS_OF_A_RESTORE = [...MOMENTS.restore, ...IN_THE_SWAP]

describe('a worker killed', () => {
  let system: System
  let survivor: ServiceProcess

  beforeAll(async () => {
    system = await startSystem({ env: { HOLDFAST_LEASE_MS: String(LEASE_MS) } })
    const [first] = system.workers
    if (first === undefined) throw new Error('no worker')
    survivor = first
  })
  afterAll(() => system.stop())

  /** Lets a dying worker take the operation, waits for its death, and lets a healthy one go on. */
  async function dieOnce(moment: string, path: string, body: object): Promise<string> {
    await survivor.kill('SIGTERM')
    const { body: accepted } = await system.call('POST', path, body)
    const dying = system.startWorker(DYING, { HOLDFAST_TEST_DIE_AT: moment })
    const died = await Promise.race([
      new Promise<boolean>((resolve) =>
        dying.child.once('exit', (_code, signal) => resolve(signal === 'SIGKILL')),
      ),
      sleep(20_000).then(() => false),
    ])
    if (!died) throw new Error(`the worker did not die at ${moment}: ${dying.output()}`)
    return accepted.id
  }

  function revive(): void {
    survivor = system.startWorker()
  }

  for (const moment of MOMENTS_OF_A_BACKUP) {
    it(`at '${moment}' of a backup leaves one good backup and nothing else`, async () => {
      const name = `backup-${moment}`
      const file = join(system.directory, `${name}.db`)
      makeDatabase(file, name)
      expect((await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })).status).toBe(201)

      const operationId = await dieOnce(moment, '/v1/backups', { target: name })
      const { body: listedWhileDead } = await system.call(
        'GET',
        `/v1/backups?target=${name}&status=completed`,
      )
      expect(listedWhileDead.items).toHaveLength(moment === 'after-end' ? 1 : 0)
      revive()

      const operation = await finished(system, operationId)
      expect(operation).toMatchObject({ state: 'completed', error: null })
      const { body: listed } = await system.call('GET', `/v1/backups?target=${name}`)
      expect(listed.items.map((backup: { status: string }) => backup.status)).toEqual(['completed'])
      const copy = join(system.directory, `${name}-copy.db`)
      const into = { url: sqliteUrl(copy) }
      const restored = await carryOut(system, `/v1/backups/${operation.backupId}/restore`, {
        into,
        dryRun: false,
      })
      expect(restored.error).toBeNull()
      expect(rowsOf(copy)).toEqual(rowsOf(file))
    })
  }

  for (const moment of MOMENTS_OF_A_RESTORE) {
    it(`at '${moment}' of a restore leaves the old or the new database, and the restore ends`, async () => {
      const name = `restore-${moment}`
      const file = join(system.directory, `${name}.db`)
      makeDatabase(file, 'new')
      const wanted = rowsOf(file)
      expect((await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })).status).toBe(201)
      const backup = await carryOut(system, '/v1/backups', { target: name })
      rewriteDatabase(file, 'old')
      const replaced = rowsOf(file)

      const consent = { into: { target: name }, dryRun: false, overwrite: true, confirm: name }
      const operationId = await dieOnce(moment, `/v1/backups/${backup.backupId}/restore`, consent)
      expect(integrityOf(file)).toBe('ok')
      expect([wanted, replaced]).toContainEqual(rowsOf(file))
      revive()

      expect(await finished(system, operationId)).toMatchObject({ state: 'completed', error: null })
      expect(integrityOf(file)).toBe('ok')
      expect(rowsOf(file)).toEqual(wanted)
      const undone = await carryOut(system, `/v1/operations/${operationId}/undo`, undefined)
      expect(undone.error).toBeNull()
      expect(rowsOf(file)).toEqual(replaced)
      const beside = (await readdir(system.directory)).filter((entry) => entry.startsWith(`.${name}`))
      expect(beside).toEqual([])
    })
  }

  it('leaves nothing behind after the sweep', async () => {
    await sleep(LEASE_MS * 3 + 500)
    await sweepNow(system)

    const storage = join(system.dataDir, 'storage')
    const found = await readdir(storage, { recursive: true, withFileTypes: true })
    const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const folders = new Set(
      files
        .filter((path) => path.endsWith('manifest.json'))
        .map((path) => path.replace(/manifest\.json$/, '')),
    )
    const strays = files.filter((path) => ![...folders].some((folder) => path.startsWith(folder)))
    expect(strays.filter((path) => !path.endsWith('.holdfast-storage.json'))).toEqual([])
    for (const folder of folders) {
      const names = (await readdir(folder)).toSorted()
      expect(names).toEqual([
        'RESTORE.md',
        expect.stringMatching(/^data-\d+\.sqlite\.zst$/),
        'manifest.json',
        'state.json',
      ])
    }
    expect(await readdir(join(system.dataDir, 'tmp'))).toEqual([])
  })
})
