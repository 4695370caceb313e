import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fingerprintDifferences } from '@holdfast/testing'
import { expect } from 'vitest'
import { addTarget, ask, carryOut, outcomeOf } from './operations.ts'
import { processesBelow } from './processes.ts'
import { sweepNow } from './sweep.ts'
import type { System } from './system.ts'
import { startSystem } from './system.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import type { TightPlace } from './tight-place.ts'
import { makeTightPlace } from './tight-place.ts'

const WORKER = fileURLToPath(new URL('./impatient-worker.ts', import.meta.url))
const MIB = 1024 * 1024
/** How long what has gone wrong may go unnoticed. */
const NOTICED_WITHIN_MS = 15_000

/** A server of any engine that can fail in every way. */
interface FailingServer {
  readonly port: number
  urlOf(database: string): string
  processes(): Promise<readonly number[]>
  resume(): Promise<void>
  thaw(): Promise<void>
  stop(): Promise<void>
}

/** What is special to an engine: a server with a database `shop` to back up and one `dest` to restore over. */
export interface TroubledEngine<Server extends FailingServer> {
  readonly server: Server
  /** Rows that there are in `shop`. */
  readonly rows: number
  /** How the command line of each of its programs begins. */
  readonly programs: RegExp
  /** Of a database, as the service is told it. */
  targetUrlOf(database: string): string
  /** Of what is at a URL of the server's. */
  fingerprintOf(url: string): Promise<readonly string[]>
  /** Databases and sessions of Holdfast on the server; sessions only when they have had their time to end. */
  leftovers(): Promise<readonly unknown[]>
  /** Ends troubles of its own. */
  heal(): Promise<void>
}

/** What goes wrong with what is asked for, and what is said of it. */
export interface Trouble {
  readonly code: string
  readonly says?: RegExp
  readonly cause: (operationId: string) => Promise<unknown>
}

/** A service with a database to back up and one to restore over, and everything between them that can fail. */
export interface TroubledBench<Server> {
  readonly server: Server
  readonly system: System
  /** Between the service and the server. */
  readonly proxy: TcpProxy
  readonly storage: TightPlace
  readonly scratch: TightPlace
  /** Where a backup lies that can be restored. */
  readonly backup: string
  /** Programs of the engine that work for the service; those of one name, if it is given. */
  programs(name?: string): Promise<readonly number[]>
  fails(path: string, body: object, trouble: Trouble): Promise<void>
  /** Ends all troubles that the parts of the bench can have. */
  heal(): Promise<void>
  /** Nothing is to be seen of what has failed, and the destination is what it was. */
  requireUntouched(): Promise<void>
  /** The next attempt needs no help. */
  requireBackup(): Promise<void>
  requireRestore(): Promise<void>
  /** A restore has happened, and what it has replaced comes back. */
  requireRestored(operationId: string): Promise<void>
  close(): Promise<void>
}

/** Consent to what a restore over the destination replaces. */
export const OVER = { into: { target: 'dest' }, dryRun: false, overwrite: true, confirm: 'dest' }

/** Targets `shop` and `dest`, which fail at once, and `patient`, which is `shop` and is tried again. */
export async function openTroubledBench<Server extends FailingServer>(
  engine: TroubledEngine<Server>,
): Promise<TroubledBench<Server>> {
  const { server } = engine
  const proxy = await startTcpProxy(server.port)
  const [storage, scratch] = [await makeTightPlace(96 * MIB), await makeTightPlace(48 * MIB)]
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-troubled-'))
  await symlink(scratch.path, join(dataDir, 'tmp'))
  await mkdir(join(storage.path, 'storage'))
  const system = await startSystem({
    entries: { worker: WORKER },
    env: {
      HOLDFAST_DATA_DIR: dataDir,
      HOLDFAST_STORAGE_URL: pathToFileURL(join(storage.path, 'storage')).href,
      HOLDFAST_LEASE_MS: '1000',
    },
  })
  for (const [name, database] of [
    ['shop', 'shop'],
    ['patient', 'shop'],
    ['dest', 'dest'],
  ] as const) {
    const through = engine.targetUrlOf(database).replace(`:${server.port}/`, `:${proxy.port}/`)
    await addTarget(system, name, `${through}?connect_timeout=1&lock_timeout=400`, { compression: 'none' })
  }
  const { backupId, error } = await carryOut(system, '/v1/backups', { target: 'shop' })
  expect(error).toBeNull()
  const old = await engine.fingerprintOf(server.urlOf('dest'))
  const wanted = await engine.fingerprintOf(server.urlOf('shop'))
  const isDest = async (lines: readonly string[]) =>
    expect(fingerprintDifferences(lines, await engine.fingerprintOf(server.urlOf('dest')))).toEqual([])
  const programs = async (name = '') => {
    const [worker] = system.workers.slice(-1)
    const below = worker === undefined ? [] : await processesBelow(worker.pid)
    return below
      .filter(({ command }) => engine.programs.test(command) && command.split(' ')[0]?.endsWith(name))
      .map(({ pid }) => pid)
  }
  const requireRestored = async (operationId: string) => {
    expect(await outcomeOf(system, operationId)).toMatchObject({ state: 'completed', error: null })
    await isDest(wanted)
    expect(await carryOut(system, `/v1/operations/${operationId}/undo`)).toMatchObject({ error: null })
  }
  return {
    ...{ server, system, proxy, storage, scratch, backup: `/v1/backups/${backupId}` },
    ...{ programs, requireRestored },
    async fails(path, body, { code, says = /./, cause }) {
      const id = await ask(system, path, body)
      await cause(id)
      const since = performance.now()
      const operation = await outcomeOf(system, id)
      const bugs = system.output().match(/^.*"level":50.*$/gm) ?? []
      const state = code === 'CANCELLED' ? 'cancelled' : 'failed'
      expect(operation, bugs.join('\n')).toMatchObject({ state, error: { code } })
      expect(operation.error.detail).toMatch(says)
      expect(performance.now() - since).toBeLessThan(NOTICED_WITHIN_MS)
    },
    async heal() {
      proxy.heal()
      await server.thaw()
      if ((await server.processes()).length === 0) await server.resume()
      await Promise.all([storage.relax(), scratch.relax(), engine.heal()])
    },
    async requireUntouched() {
      await sweepNow(system)
      expect(await engine.leftovers()).toEqual([])
      expect(await programs()).toEqual([])
      await isDest(old)
      expect(await readdir(scratch.path)).toEqual([])
      const stored = join(storage.path, 'storage')
      expect(await readdir(join(stored, '.partial')).catch(() => [])).toEqual([])
      const { body: listed } = await system.call('GET', '/v1/backups?status=completed&limit=200')
      const ids = listed.items.map(({ id }: { id: string }) => id)
      const objects = ['shop', 'patient'].map((name) => readdir(join(stored, name)).catch(() => []))
      expect((await Promise.all(objects)).flat().toSorted()).toEqual(ids.toSorted())
    },
    async requireBackup() {
      const again = await carryOut(system, '/v1/backups', { target: 'shop' })
      expect(again).toMatchObject({ state: 'completed', error: null, result: { recordCount: engine.rows } })
      await system.call('DELETE', `/v1/backups/${again.backupId}`)
    },
    async requireRestore() {
      await requireRestored(await ask(system, `/v1/backups/${backupId}/restore`, OVER))
    },
    async close() {
      await system.stop()
      await proxy.close()
      await server.stop()
      await Promise.all([storage.remove(), scratch.remove()])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
