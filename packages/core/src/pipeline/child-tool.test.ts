import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import type { Tool } from './child-tool.ts'
import { startTool, ToolFailure, toolAvailable } from './child-tool.ts'

const never = new AbortController().signal
const shell = (script: string, signal: AbortSignal = never, ...args: readonly string[]) =>
  startTool({ program: 'sh', args: ['-c', script, 'sh', ...args], stdin: 'ignore', stdout: 'pipe' }, signal)

describe('startTool', () => {
  it('hands over arguments as they are', async () => {
    const hostile = ['$(id)', '; rm x', 'a b', "it's", '-x', 'ünï\ncode', '']
    const tool = await shell('for a in "$@"; do printf "<%s>" "$a"; done', never, ...hostile)
    expect(await output(tool)).toBe(hostile.map((argument) => `<${argument}>`).join(''))
    await tool.done
  })

  it('hands down no secret of our environment', async () => {
    process.env.HOLDFAST_CANARY = 'canary'
    const tool = await startTool(
      { program: 'env', args: [], stdin: 'ignore', stdout: 'pipe', env: { GIVEN: 'yes' } },
      never,
    )
    const printed = await output(tool)
    delete process.env.HOLDFAST_CANARY
    expect(printed).toContain('GIVEN=yes')
    expect(printed).not.toContain('canary')
  })

  it('reports an exit code with the end of what it printed, which is not in the message', async () => {
    const tool = await shell('yes secret | head -c 3000000 >&2; echo the end >&2; exit 3')
    tool.stdout?.resume()
    const failure = await failureOf(tool)
    expect(failure).toMatchObject({ code: 'TOOL_FAILED', message: 'sh exited with 3' })
    expect(failure.cause).toBeInstanceOf(ToolFailure)
    const { message } = failure.cause instanceof ToolFailure ? failure.cause : { message: '' }
    expect(message.endsWith('the end')).toBe(true)
    expect(message.length).toBeLessThanOrEqual(4096)
    const { stderrTail, ...ending } = await tool.exit
    expect(ending).toEqual({ code: 3, killedBy: null })
    expect(stderrTail).toHaveLength(65_536)
  })

  it('lets all of what is printed be heard, of which only the end is kept', async () => {
    let heard = ''
    const onStderr = (text: string) => {
      heard += text
    }
    const args = ['-c', 'echo the beginning >&2; yes more | head -c 1000000 >&2']
    const tool = await startTool({ program: 'sh', args, stdin: 'ignore', stdout: 'ignore', onStderr }, never)
    await tool.done
    expect(heard.startsWith('the beginning\nmore\n')).toBe(true)
    expect(heard.length).toBe(14 + 1_000_000)
  })

  it('ends the processes of a program that was killed itself', async () => {
    const tool = await shell('sleep 60 & echo $!; kill -KILL $$')
    const orphan = Number(await output(tool))
    expect(await failureOf(tool)).toMatchObject({ code: 'TOOL_FAILED' })
    await waitUntilGone([orphan])
  })

  it('reports the end of a program whose output nobody takes any more', async () => {
    const tool = await shell('yes & sleep 0.3; exit 4')
    tool.stdout?.pipe(new Writable({ write: () => {} }))
    expect(await failureOf(tool)).toMatchObject({ code: 'TOOL_FAILED', message: 'sh exited with 4' })
    expect(tool.stdout?.errored).toMatchObject({ code: 'TOOL_FAILED' })
  })

  it('reports a signal that ended it, though there is no exit code', async () => {
    const tool = await shell('kill -KILL $$')
    tool.stdout?.resume()
    expect(await failureOf(tool)).toMatchObject({ code: 'TOOL_FAILED', message: 'sh was ended by SIGKILL' })
  })

  it('says what to install when the program is missing', async () => {
    const tool = await startTool(
      { program: 'no-such-program', args: [], stdin: 'ignore', stdout: 'ignore' },
      never,
    )
    expect(await failureOf(tool)).toMatchObject({ code: 'TOOL_FAILED', hint: 'install no-such-program' })
  })

  it('ends the whole group on abort', async () => {
    const controller = new AbortController()
    const tool = await shell('sleep 300 & echo $!; echo $$; wait', controller.signal)
    const pids = await firstLines(tool, 2)
    expect(pids.map(isAlive)).toEqual([true, true])
    controller.abort()
    expect(await failureOf(tool)).toMatchObject({ code: 'CANCELLED' })
    await waitUntilGone(pids)
  })

  it('kills what does not listen to SIGTERM', async () => {
    const controller = new AbortController()
    const tool = await shell('trap "" TERM; echo $$; while :; do sleep 1; done', controller.signal)
    const pids = await firstLines(tool, 1)
    controller.abort(new AppError('FENCE_LOST', 'taken over'))
    expect(await failureOf(tool)).toMatchObject({ code: 'FENCE_LOST' })
    await waitUntilGone(pids)
  })

  it('starts nothing once aborted', async () => {
    await expect(shell('exit 0', AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('ends with this process, even when that is killed', async () => {
    const script = fileURLToPath(new URL('../../fixtures/tool-process.ts', import.meta.url))
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [chunk] = await once(parent.stdout, 'data')
    const pid = Number(String(chunk))
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await once(parent, 'close')
    await waitUntilGone([pid])
  })
})

describe('toolAvailable', () => {
  it('knows what is there and what is not', async () => {
    expect(await toolAvailable('tar')).toBe(true)
    expect(await toolAvailable('no-such-program')).toBe(false)
  })
})

async function output(tool: Tool): Promise<string> {
  return tool.stdout === null ? '' : text(tool.stdout)
}

async function firstLines(tool: Tool, count: number): Promise<number[]> {
  let printed = ''
  for (;;) {
    if (tool.stdout === null) throw new Error('no stdout')
    const [chunk] = await once(tool.stdout, 'data')
    printed += String(chunk)
    const lines = printed.split('\n')
    if (lines.length > count) return lines.slice(0, count).map(Number)
  }
}

async function failureOf(tool: Tool): Promise<AppError> {
  const failure = await tool.done.then(
    () => null,
    (error: unknown) => error,
  )
  if (failure instanceof AppError) return failure
  throw new Error(`expected a failure, got ${String(failure)}`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function waitUntilGone(pids: readonly number[]): Promise<void> {
  for (let tries = 0; pids.some(isAlive); tries += 1) {
    if (tries > 100) throw new Error('a process was left behind')
    await delay(20)
  }
}
