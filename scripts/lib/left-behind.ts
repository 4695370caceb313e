import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Every process that a test run starts inherits this variable, and with it can be found again. */
export const RUN_VARIABLE = 'HOLDFAST_TEST_RUN'

/** A process that a test run left behind. */
export interface LeftProcess {
  readonly pid: number
  readonly command: string
}

/**
 * Ends the processes that a test run left behind, and returns them. What is just ending is given `graceMs` to do so.
 * Finds nothing where the system does not show environments (anything but Linux).
 */
export async function endLeftProcesses(run: string, graceMs: number): Promise<readonly LeftProcess[]> {
  const deadline = performance.now() + graceMs
  let left = findProcesses(run)
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(100)
    left = findProcesses(run)
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has just ended
    }
  }
  return left
}

function findProcesses(run: string): readonly LeftProcess[] {
  const mark = `${RUN_VARIABLE}=${run}`
  return pids()
    .filter((pid) => pid !== process.pid && read(pid, 'environ').split('\0').includes(mark))
    .map((pid) => ({ pid, command: read(pid, 'cmdline').split('\0').join(' ').trim() }))
}

function pids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    // it has ended, or is not ours to read
    return ''
  }
}
