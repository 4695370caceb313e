import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { makeDatabase } from './databases.ts'
import { shelfUrl } from './shelf-engine.ts'
import type { System } from './system.ts'
import { startSystem } from './system.ts'

const API = fileURLToPath(new URL('./shelf-api.ts', import.meta.url))
export const SHELF_WORKER = fileURLToPath(new URL('./shelf-worker.ts', import.meta.url))

export interface ShelfSystemOptions {
  readonly workers?: number
  readonly concurrency?: number
  readonly dumpMs?: number
  readonly leaseMs?: number
}

/** A service whose targets are directories of SQLite files, as servers. */
export async function startShelfSystem(options: ShelfSystemOptions = {}): Promise<System> {
  const { workers = 2, concurrency = 4, dumpMs = 100, leaseMs = 2000 } = options
  return startSystem({
    workers,
    entries: { api: API, worker: SHELF_WORKER },
    env: {
      HOLDFAST_CONCURRENCY: String(concurrency),
      HOLDFAST_LEASE_MS: String(leaseMs),
      HOLDFAST_TEST_DUMP_MS: String(dumpMs),
    },
  })
}

/** Makes a server with these databases and registers it. Returns its directory. */
export async function addShelf(
  system: System,
  name: string,
  databases: readonly string[],
  options: object = {},
): Promise<string> {
  const directory = join(system.directory, name)
  mkdirSync(directory)
  for (const database of databases) makeDatabase(join(directory, `${database}.db`), `${name} ${database}`, 50)
  const { status, body } = await system.call('POST', '/v1/targets', {
    name,
    url: shelfUrl(directory),
    options,
  })
  if (status !== 201) throw new Error(`target not added: ${JSON.stringify(body)}`)
  return directory
}

/** The members of a group, in the order of their acceptance. */
export async function membersOf(system: System, groupId: string) {
  const { body } = await system.call('GET', `/v1/operations?group=${groupId}&limit=200`)
  return body.items.toReversed()
}

/** Waits until a group has so many members, or one that fits. */
export async function untilMember(
  system: System,
  groupId: string,
  // biome-ignore lint/suspicious/noExplicitAny: answers of the API are looked into as they are
  fits: (member: any, index: number) => boolean,
) {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 20) {
    const member = (await membersOf(system, groupId)).find(fits)
    if (member !== undefined) return member
    await sleep(20)
  }
  throw new Error(`no such member came: ${system.output().slice(-4000)}`)
}

/** How many dumps were under way at the same time at most, by what the workers wrote down. */
export function mostAtOnce(logFile: string): number {
  const lines = readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  const events: { event: string; at: number }[] = lines.map((line) => JSON.parse(line))
  let [now, most] = [0, 0]
  for (const { event } of events.toSorted((one, other) => one.at - other.at)) {
    now += event === 'begin' ? 1 : -1
    most = Math.max(most, now)
  }
  return most
}
