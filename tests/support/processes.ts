import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process as it was seen: its id may be used again, together with its begin it is never. */
export interface SeenProcess {
  readonly pid: number
  readonly begunAt: string
  readonly command: string
}

/** Everything that runs below a process, and the process itself. */
export async function processesBelow(root: number): Promise<readonly SeenProcess[]> {
  const all = await allProcesses()
  const found = new Set([root])
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return all.filter(({ pid }) => found.has(pid))
}

/** Waits until none of them runs any more. Returns those that still do when the time is up. */
export async function survivors(
  processes: readonly SeenProcess[],
  limitMs: number,
): Promise<readonly SeenProcess[]> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const now = await allProcesses()
    const left = processes.filter((seen) =>
      now.some(({ pid, begunAt }) => pid === seen.pid && begunAt === seen.begunAt),
    )
    if (left.length === 0 || performance.now() > deadline) return left
    await sleep(50)
  }
}

async function allProcesses(): Promise<readonly (SeenProcess & { readonly parent: number })[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const seen = await Promise.all(pids.map(look))
  return seen.filter((each) => each !== null)
}

async function look(name: string) {
  const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
  // the second field is the program's name in brackets and may hold anything
  const [state, parent, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (stat === '' || state === 'Z') return null
  const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
  return {
    pid: Number(name),
    parent: Number(parent),
    begunAt: fields[17] ?? '',
    command: command.replaceAll('\0', ' ').trim(),
  }
}
