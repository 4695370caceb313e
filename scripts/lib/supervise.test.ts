import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Supervised } from './supervise.ts'
import { supervise } from './supervise.ts'
import { isAlive, until } from './testing/processes.ts'

let dir: string
let lines: string[]
let supervised: Supervised | null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-supervise-'))
  lines = []
  supervised = null
})

afterEach(async () => {
  await supervised?.stop(100)
  await rm(dir, { recursive: true, force: true })
})

function run(program: string, pausesMs: readonly number[] = [10, 10, 10]): Supervised {
  supervised = supervise({
    name: 'worker',
    command: [process.execPath, '--input-type=module', '--eval', program],
    env: { PATH: process.env.PATH, DIR: dir },
    output: 'inherit',
    say: (line) => lines.push(line),
    pausesMs,
  })
  return supervised
}

const NOTE_START = `
  import { appendFileSync } from 'node:fs'
  appendFileSync(process.env.DIR + '/starts', process.pid + ' ')
`

function starts(): number[] {
  const file = join(dir, 'starts')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').map(Number) : []
}

describe('a supervised program', () => {
  it('is started again when it was killed', async () => {
    const program = run(`${NOTE_START}; setInterval(() => {}, 1000)`)
    await until(() => starts().length === 1)
    process.kill(starts()[0] ?? 0, 'SIGKILL')
    await until(() => starts().length === 2)
    expect(program.pid()).toBe(starts()[1])
    expect(lines).toEqual(['worker was ended by SIGKILL; starting it again in 10 ms'])
  })

  it('is given up after a series of quick ends, with the reason', async () => {
    const program = run(`${NOTE_START}; process.exit(3)`)
    expect(await program.gaveUp).toBe('worker ended 4 times in a row, at last it exited with code 3')
    expect(starts()).toHaveLength(4)
  })

  it('is given up at once when it says that its configuration is wrong', async () => {
    const program = run(`${NOTE_START}; process.exit(78)`)
    expect(await program.gaveUp).toBe('worker exited with code 78: its configuration is wrong')
    expect(starts()).toHaveLength(1)
  })

  it('may end cleanly when it is stopped, and is not started again', async () => {
    const program = run(`${NOTE_START}
      process.on('SIGTERM', () => { appendFileSync(process.env.DIR + '/clean', ''); process.exit(0) })
      appendFileSync(process.env.DIR + '/ready', '')
      setInterval(() => {}, 1000)`)
    await until(() => existsSync(join(dir, 'ready')))
    await program.stop(10_000)
    expect(existsSync(join(dir, 'clean'))).toBe(true)
    expect(starts()).toHaveLength(1)
    expect(lines).toEqual([])
  })

  it('is killed with everything it started when it does not end in time', async () => {
    const program = run(`${NOTE_START}
      import { spawn } from 'node:child_process'
      process.on('SIGTERM', () => {})
      const child = spawn('sleep', ['600'], { stdio: 'ignore' })
      appendFileSync(process.env.DIR + '/starts', child.pid + ' ')
      setInterval(() => {}, 1000)`)
    await until(() => starts().length === 2)
    const startedAt = performance.now()
    await program.stop(200)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    await until(() => starts().every((pid) => !isAlive(pid)))
  })

  it('can be stopped while it waits for its next start', async () => {
    const program = run(`${NOTE_START}; process.exit(1)`, [60_000])
    await until(() => lines.length === 1)
    await program.stop(10_000)
    expect(starts()).toHaveLength(1)
  })

  it('is given up with a reason if it cannot be started at all', async () => {
    supervised = supervise({
      name: 'api',
      command: [join(dir, 'no-such-program')],
      env: {},
      output: 'inherit',
      say: () => {},
      pausesMs: [],
    })
    expect(await supervised.gaveUp).toMatch(
      /api ended 1 times in a row, at last it could not be started: .*ENOENT/,
    )
  })
})
