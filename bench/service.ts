import type { System } from '../tests/support/system.ts'
import { carryOut } from '../tests/support/system.ts'
import { descendants, peakMiB, resetPeak } from './measure.ts'

/** Process id of the only worker. */
export function workerOf(system: System): number {
  const [worker] = system.workers
  if (worker === undefined) throw new Error('no worker')
  return worker.pid
}

export async function registerTarget(system: System, name: string, url: string): Promise<void> {
  const { status, body } = await system.call('POST', '/v1/targets', { name, url })
  if (status !== 201) throw new Error(`target not registered: ${JSON.stringify(body)}`)
}

/** Takes a backup and returns its id. */
export async function backUp(system: System, request: object): Promise<string> {
  const { body } = await system.call('POST', '/v1/backups', request)
  return (await finish(system, body.id)).backupId
}

/** The operation once it has completed. */
export async function finish(system: System, operationId: string) {
  for (;;) {
    const { body } = await system.call('GET', `/v1/operations/${operationId}?wait=60`)
    if (body.state === 'completed') return body
    if (body.state === 'failed') throw new Error(`not completed: ${JSON.stringify(body.error)}`)
  }
}

/** Restores to where nothing is yet. */
export async function restoreTo(system: System, backupId: string, into: object): Promise<void> {
  const restored = await carryOut(system, `/v1/backups/${backupId}/restore`, { into, dryRun: false })
  if (restored.state !== 'completed') throw new Error(`not restored: ${JSON.stringify(restored.error)}`)
}

/** Watches peak memory of a process and of its children from now on. */
export function watchMemory(pid: number): { report(): void } {
  resetPeak(pid)
  let childPeak = 0
  const watch = setInterval(() => {
    for (const child of descendants(pid)) childPeak = Math.max(childPeak, safePeak(child))
  }, 50)
  return {
    report() {
      clearInterval(watch)
      const peaks = `worker ${peakMiB(pid).toFixed(0)} MiB, largest child ${childPeak.toFixed(0)} MiB`
      console.log(`  peak memory: ${peaks}`)
    },
  }
}

function safePeak(pid: number): number {
  try {
    // none is known of one that has ended and is not collected yet
    return peakMiB(pid) || 0
  } catch {
    // it ended between being listed and being read
    return 0
  }
}
