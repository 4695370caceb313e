import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** By convention: the configuration is wrong, and starting again cannot help. */
export const EXIT_CONFIGURATION = 78
/** Whoever lived this long was up: its end is a new trouble, not the old one. */
const STEADY_MS = 10_000
/** How long to wait before each start after a quick end; after the last one there is no further start. */
const PAUSES_MS: readonly number[] = [200, 400, 800, 1_600, 3_000, 5_000, 5_000]

/** A program to keep running. */
export interface ProgramToSupervise {
  readonly name: string
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where its output goes: to ours, or to an open file. */
  readonly output: 'inherit' | number
  readonly say: (line: string) => void
  /** For tests: the pauses before each start after a quick end. */
  readonly pausesMs?: readonly number[]
}

/** A program that is being kept running. */
export interface Supervised {
  /** Resolves, with the reason, when the program has ended too often to be started again. */
  readonly gaveUp: Promise<string>
  /** The process id of the moment; null between two starts. */
  pid(): number | null
  /** Asks it to end, and after `graceMs` no longer asks. Resolves when nothing of its process group is left. */
  stop(graceMs: number): Promise<void>
}

/**
 * Starts a program, and starts it again when it ends by itself, with growing pauses. Gives up after a series of quick
 * ends, and at once when it says that its configuration is wrong.
 */
export function supervise(program: ProgramToSupervise): Supervised {
  const stopping = new AbortController()
  let child: ChildProcess | null = null

  const run = async (): Promise<string> => {
    const pauses = program.pausesMs ?? PAUSES_MS
    for (let quickEnds = 0; ; ) {
      const startedAt = performance.now()
      child = start(program)
      const { how, code } = await ended(child)
      killGroup(child, 'SIGKILL')
      child = null
      if (stopping.signal.aborted) return 'stopped'
      if (code === EXIT_CONFIGURATION) return `${program.name} ${how}: its configuration is wrong`
      if (performance.now() - startedAt > STEADY_MS) quickEnds = 0
      const pauseMs = pauses[quickEnds]
      quickEnds += 1
      if (pauseMs === undefined) return `${program.name} ended ${quickEnds} times in a row, at last it ${how}`
      program.say(`${program.name} ${how}; starting it again in ${pauseMs} ms`)
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return 'stopped'
    }
  }
  const over = run()

  return {
    gaveUp: over.then((why) => (stopping.signal.aborted ? new Promise<string>(() => {}) : why)),
    pid: () => child?.pid ?? null,
    async stop(graceMs) {
      stopping.abort()
      const last = child
      if (last !== null) {
        last.kill('SIGTERM')
        const kill = setTimeout(() => killGroup(last, 'SIGKILL'), graceMs)
        await over
        clearTimeout(kill)
      }
      await over
    },
  }
}

function start({ command, env, output }: ProgramToSupervise): ChildProcess {
  const [file = '', ...args] = command
  return spawn(file, args, {
    env,
    stdio: ['ignore', output, output],
    // a group of its own: Ctrl-C on our terminal is for us, and what it leaves behind can be ended with it
    detached: true,
  })
}

async function ended(child: ChildProcess): Promise<{ how: string; code: number | null }> {
  return await new Promise((resolve) => {
    child.once('error', (error) => resolve({ how: `could not be started: ${error.message}`, code: null }))
    child.once('exit', (code, signal) => {
      resolve({ how: signal === null ? `exited with code ${code}` : `was ended by ${signal}`, code })
    })
  })
}

/** Also what the leader left behind when it was killed. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // nobody is left in it
  }
}
