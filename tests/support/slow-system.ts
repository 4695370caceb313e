import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { makeDatabase } from './databases.ts'
import type { System, SystemOptions } from './system.ts'
import { sqliteUrl, startSystem } from './system.ts'

const SLOW_WORKER = fileURLToPath(new URL('./slow-worker.ts', import.meta.url))
export const LEASE_MS = 1000
/** How long each of its backups and restores lasts at least. */
export const SLOW_MS = 1500

/** A system of two workers, each of which takes its time, with a target for each name. */
export async function startSlowSystem(
  targets: readonly string[],
  options: SystemOptions = {},
): Promise<System> {
  const env = { HOLDFAST_LEASE_MS: String(LEASE_MS), HOLDFAST_TEST_SLOW_MS: String(SLOW_MS) }
  const system = await startSystem({
    workers: 2,
    ...options,
    entries: { worker: SLOW_WORKER },
    env: { ...env, ...options.env },
  })
  for (const name of targets) await addTarget(system, name)
  return system
}

/** Makes a database and registers it. Returns its file. */
export async function addTarget(system: System, name: string): Promise<string> {
  const file = join(system.directory, `${name}.db`)
  makeDatabase(file, name)
  const added = await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })
  if (added.status !== 201) throw new Error(`target not added: ${JSON.stringify(added.body)}`)
  return file
}

/** Asks for work and waits until it is in the middle of it. Returns the operation's id. */
export async function begun(system: System, path: string, body: object, phase = 'storing'): Promise<string> {
  const { body: accepted } = await system.call('POST', path, body)
  for (;;) {
    const { body: operation } = await system.call('GET', `/v1/operations/${accepted.id}`)
    if (operation.phase === phase) return accepted.id
    if (operation.finishedAt) throw new Error(`it never was ${phase}: ${JSON.stringify(operation)}`)
    await sleep(10)
  }
}
