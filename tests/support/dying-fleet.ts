import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceProcess, System } from './system.ts'

/** Workers that die at the moments that the names of targets say, each followed by a new one. */
export interface DyingFleet {
  /** Everything that a worker has died of so far. */
  graves(): readonly string[]
  /** No more of them are started. */
  disband(): Promise<void>
}

/**
 * Keeps one worker of a program at work for each list of queues, with one job at a time: no work is lost with that of another.
 * Tells of each death, with the names that were not told before.
 */
export function startDyingFleet(
  system: System,
  entry: URL,
  queues: readonly string[],
  onDeath: (of: readonly string[]) => void,
): DyingFleet {
  const directory = join(system.directory, 'graves')
  mkdirSync(directory)
  const known = new Set<string>()
  const alive = new Set<ServiceProcess>()
  let isOver = false
  const start = (of: string) => {
    const env = { HOLDFAST_TEST_GRAVES: directory, HOLDFAST_CONCURRENCY: '1', HOLDFAST_QUEUES: of }
    const worker = system.startWorker(fileURLToPath(entry), env)
    alive.add(worker)
    worker.child.once('exit', () => {
      alive.delete(worker)
      if (isOver) return
      start(of)
      const fresh = readdirSync(directory).filter((name) => !known.has(name))
      for (const name of fresh) known.add(name)
      onDeath(fresh)
    })
  }
  for (const of of queues) start(of)
  return {
    graves: () => [...known],
    async disband() {
      isOver = true
      await Promise.all([...alive].map((worker) => worker.kill('SIGKILL')))
    },
  }
}
