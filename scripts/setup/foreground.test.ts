import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isAlive, until } from '../lib/testing/processes.ts'

const MODULE = new URL('./foreground.mjs', import.meta.url).href

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-foreground-'))
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** Starts a program as run.mjs does; it writes its id to `pid`, and each signal to `signals`. */
async function run(program: string, outer?: string) {
  const file = join(dir, 'entry.mjs')
  const preamble = `
    import { appendFileSync, writeFileSync } from 'node:fs'
    const note = (text) => appendFileSync(${JSON.stringify(join(dir, 'signals'))}, text + ' ')
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => note(signal))
    `
  const epilogue = `writeFileSync(${JSON.stringify(join(dir, 'pid'))}, String(process.pid))`
  await writeFile(file, `${preamble}\n${program}\n${epilogue}`)
  const starter = `
    import { runToEnd } from ${JSON.stringify(MODULE)}
    await runToEnd(process.execPath, [${JSON.stringify(file)}, 'an argument'], {
      env: process.env,
      endsWithParent: true,
    })`
  const evaluate = outer === undefined ? [starter] : [outer, starter]
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', ...evaluate], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(parent, 'exit')
  await until(() => existsSync(join(dir, 'pid')) && readFileSync(join(dir, 'pid'), 'utf8') !== '')
  return { parent, exited, pid: Number(readFileSync(join(dir, 'pid'), 'utf8')) }
}

function signals(): string {
  return existsSync(join(dir, 'signals')) ? readFileSync(join(dir, 'signals'), 'utf8').trim() : ''
}

describe('a program in the foreground', () => {
  it('gets our arguments and our input, and we end with its code', async () => {
    const { parent, exited } = await run(`
      process.stdin.on('data', (chunk) => {
        process.stdout.write(process.argv[2] + ': ' + chunk)
        process.exitCode = 7
        process.stdin.destroy()
      })`)
    const output = once(parent.stdout, 'data')
    parent.stdin.end('hello')
    expect(String((await output)[0])).toBe('an argument: hello')
    expect(await exited).toEqual([7, null])
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('gets our %s and may end cleanly', async (signal) => {
    const { parent, exited } =
      await run(`process.on('${signal}', () => setTimeout(() => process.exit(0), 100))
      setInterval(() => {}, 1000)`)
    parent.kill(signal)
    expect(await exited).toEqual([0, null])
    expect(signals()).toBe(signal)
  })

  it('gets a signal once although it comes twice at once, as Ctrl-C does under npm', async () => {
    const { parent, exited } = await run(`setTimeout(() => process.exit(0), 2500)`)
    parent.kill('SIGINT')
    await sleep(50)
    parent.kill('SIGINT')
    await sleep(1_200)
    expect(signals()).toBe('SIGINT')
    parent.kill('SIGINT')
    await until(() => signals() === 'SIGINT SIGINT')
    await exited
  })

  it('lets us end by the signal that ended it', async () => {
    const { exited, pid } = await run('setInterval(() => {}, 1000)')
    process.kill(pid, 'SIGKILL')
    expect(await exited).toEqual([null, 'SIGKILL'])
  })

  it('is asked to end when our parent is killed', async () => {
    const grandparent = `
      import { spawn } from 'node:child_process'
      spawn(process.execPath, ['--input-type=module', '--eval', process.argv[1]], { stdio: 'inherit' })`
    const { parent, exited, pid } = await run(
      `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000)`,
      grandparent,
    )
    parent.kill('SIGKILL')
    await exited
    await until(() => !isAlive(pid))
    expect(signals()).toBe('SIGTERM')
  })

  it('is asked to end when we are killed', async () => {
    const { parent, exited, pid } = await run(`process.on('SIGTERM', () => process.exit(0))
      setInterval(() => {}, 1000)`)
    parent.kill('SIGKILL')
    await exited
    await until(() => !isAlive(pid))
    expect(signals()).toBe('SIGTERM')
  })
})
