import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { PostgresServer } from '@holdfast/testing'
import { fingerprintDifferences, postgresFingerprintOf, startPostgres } from '@holdfast/testing'
import { expect } from 'vitest'
import { addTarget, ask, carryOut, outcomeOf } from './operations.ts'
import { ourDatabases, sessionsLeft } from './postgres-bench.ts'
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

/** About 6 MB that cannot be compressed, and rows that are loaded slowly when it is asked for. */
const NEW = `
  CREATE SCHEMA shop;
  CREATE FUNCTION shop.nap(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    PERFORM pg_catalog.pg_sleep(coalesce(nullif(current_setting('shop.nap', true), '')::float8, 0)); RETURN n; END $$;
  CREATE TABLE shop.slow (id int PRIMARY KEY, CHECK (shop.nap(id) > 0));
  INSERT INTO shop.slow SELECT generate_series(1, 40);
  CREATE TABLE shop.items (id int PRIMARY KEY, item text);
  INSERT INTO shop.items SELECT n, encode(sha512(n::text::bytea) || sha512((-n)::text::bytea), 'hex')
    FROM generate_series(1, 24000) n`
const OLD = 'CREATE TABLE public.old AS SELECT n, md5(n::text) FROM generate_series(1, 1000) n'

/** What is asked for, what goes wrong with it, and what is said of it. */
export interface Trouble {
  readonly code: string
  readonly says?: RegExp
  readonly cause: (operationId: string) => Promise<unknown>
}

/** A service with a database to back up and one to restore over, and everything between them that can fail. */
export interface TroubledBench {
  readonly server: PostgresServer
  readonly system: System
  /** Between the service and the server. */
  readonly proxy: TcpProxy
  readonly storage: TightPlace
  readonly scratch: TightPlace
  /** Where a backup lies that can be restored. */
  readonly backup: string
  /** Programs of PostgreSQL that work for the service; those of one name, if it is given. */
  programs(name?: string): Promise<readonly number[]>
  /** Loading rows takes seconds from now on, or no time again. */
  nap(seconds: number): Promise<void>
  fails(path: string, body: object, trouble: Trouble): Promise<void>
  /** Ends all troubles that the parts of the bench can have. */
  heal(): Promise<void>
  /** Nothing is to be seen of what has failed, and the destination is what it was. */
  requireUntouched(): Promise<void>
  /** The next attempt needs no help. */
  requireBackup(): Promise<void>
  requireRestore(): Promise<void>
  close(): Promise<void>
}

/** Consent to what a restore over the destination replaces. */
export const OVER = { into: { target: 'dest' }, dryRun: false, overwrite: true, confirm: 'dest' }

export async function openTroubledBench(): Promise<TroubledBench> {
  const server = await startPostgres({ settings: { max_connections: 30, max_prepared_transactions: 2 } })
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
  for (const [name, content] of [
    ['shop', NEW],
    ['dest', OLD],
  ] as const) {
    const url = await server.createDatabase(name)
    await server.sql(name, content)
    const through = url.replace(`:${server.port}/`, `:${proxy.port}/`)
    await addTarget(system, name, `${through}?connect_timeout=1&lock_timeout=400`, { compression: 'none' })
  }
  const { backupId, error } = await carryOut(system, '/v1/backups', { target: 'shop' })
  expect(error).toBeNull()
  const [old, wanted] = [
    await postgresFingerprintOf(server.urlOf('dest')),
    await postgresFingerprintOf(server.urlOf('shop')),
  ]
  const parts = { server, system, proxy, storage, scratch, backup: `/v1/backups/${backupId}` }
  const nap = async (seconds: number) => {
    await server.sql('postgres', `ALTER ROLE "${server.superuser.name}" SET "shop.nap" = '${seconds}'`)
  }
  const programs = async (name = '\\w+') => {
    const [worker] = system.workers.slice(-1)
    const below = worker === undefined ? [] : await processesBelow(worker.pid)
    const program = new RegExp(`^[^ ]*/postgres[^ ]*/${name} `)
    return below.filter(({ command }) => program.test(command)).map(({ pid }) => pid)
  }
  return {
    ...parts,
    programs,
    nap,
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
      await Promise.all([storage.relax(), scratch.relax(), nap(0)])
    },
    async requireUntouched() {
      await sweepNow(system)
      expect(await ourDatabases(server)).toEqual([])
      expect(await sessionsLeft(server)).toEqual([])
      expect(await programs()).toEqual([])
      expect(fingerprintDifferences(old, await postgresFingerprintOf(server.urlOf('dest')))).toEqual([])
      expect(await readdir(scratch.path)).toEqual([])
      expect(await readdir(join(storage.path, 'storage', '.partial')).catch(() => [])).toEqual([])
      const { body: listed } = await system.call('GET', '/v1/backups?status=completed&limit=200')
      const ids = listed.items.map(({ id }: { id: string }) => id)
      expect((await readdir(join(storage.path, 'storage', 'shop'))).toSorted()).toEqual(ids.toSorted())
    },
    async requireBackup() {
      const again = await carryOut(system, '/v1/backups', { target: 'shop' })
      expect(again).toMatchObject({ state: 'completed', error: null, result: { recordCount: 24_040 } })
      await system.call('DELETE', `/v1/backups/${again.backupId}`)
    },
    async requireRestore() {
      const restored = await carryOut(system, `/v1/backups/${backupId}/restore`, OVER)
      expect(restored).toMatchObject({ state: 'completed', error: null })
      expect(fingerprintDifferences(wanted, await postgresFingerprintOf(server.urlOf('dest')))).toEqual([])
      expect(await carryOut(system, `/v1/operations/${restored.id}/undo`)).toMatchObject({ error: null })
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
