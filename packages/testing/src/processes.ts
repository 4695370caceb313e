import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** Processes below this one, children of children included (Linux). */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  const parents = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    // the name in brackets may itself hold brackets and spaces: the fields begin after the last one
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state !== undefined && state !== 'Z' && parent !== undefined)
      parents.set(Number(entry), Number(parent))
  }
  const isBelow = (candidate: number): boolean => {
    const parent = parents.get(candidate)
    return parent !== undefined && (parent === pid || isBelow(parent))
  }
  return [...parents.keys()].filter(isBelow)
}

/** Waits until none of these processes runs any more; returns those that still do after the time given. */
export async function waitUntilGone(pids: readonly number[], withinMs = 5000): Promise<readonly number[]> {
  for (let waitedMs = 0; ; waitedMs += 20) {
    const alive: number[] = []
    for (const pid of pids) if (await isRunning(pid)) alive.push(pid)
    if (alive.length === 0 || waitedMs >= withinMs) return alive
    await delay(20)
  }
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
  return state !== '' && state !== 'Z' && state !== 'X'
}
