import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { endLeftProcesses, RUN_VARIABLE } from './left-behind.ts'
import { isAlive, until } from './testing/processes.ts'

async function startSleeper(run: string, seconds: string): Promise<number> {
  const child = spawn('sleep', [seconds], {
    env: { PATH: process.env.PATH, [RUN_VARIABLE]: run },
    stdio: 'ignore',
    detached: true,
  })
  await once(child, 'spawn')
  return child.pid ?? 0
}

describe('the processes of a test run', () => {
  it('are found by their environment, named and ended; others are left alone', async () => {
    const run = randomUUID()
    const left = await startSleeper(run, '601')
    const other = await startSleeper(randomUUID(), '602')
    try {
      expect(await endLeftProcesses(run, 0)).toEqual([{ pid: left, command: 'sleep 601' }])
      await until(() => !isAlive(left))
      expect(isAlive(other)).toBe(true)
    } finally {
      process.kill(other, 'SIGKILL')
    }
  })

  it('may end by themselves in the time of grace', async () => {
    const run = randomUUID()
    await startSleeper(run, '0.3')
    expect(await endLeftProcesses(run, 10_000)).toEqual([])
  })
})
