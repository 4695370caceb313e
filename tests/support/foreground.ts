import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const START = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url))
const READY_MS = 60_000

/** What `npm start` runs: everything on this machine, in the foreground. */
export interface Foreground {
  readonly pid: number
  readonly child: ChildProcess
  output(): string
  /** Resolves with the URL of the API, or rejects with what was printed if it ends before. */
  ready(): Promise<string>
  /** Sends the signal, and resolves with how long it took to end and with the exit code. */
  end(signal: NodeJS.Signals): Promise<{ readonly tookMs: number; readonly code: number | null }>
  /** Resolves with the exit code. */
  ended(): Promise<number | null>
}

export function startForeground(env: Readonly<Record<string, string>>): Foreground {
  const { PATH = '', HOME = '', TMPDIR } = process.env
  const child = spawn(process.execPath, [START], {
    env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const gone = once(child, 'exit')
  const ended = async () => {
    await gone
    return child.exitCode
  }
  return {
    pid: child.pid ?? -1,
    child,
    output: () => printed,
    ended,
    async ready() {
      const deadline = performance.now() + READY_MS
      for (;;) {
        const [, url] = /ready on (\S+)/.exec(printed) ?? []
        if (url !== undefined) return url
        const isOver = child.exitCode !== null || child.signalCode !== null || performance.now() > deadline
        if (isOver) throw new Error(`it did not become ready: ${printed.slice(-4000)}`)
        await sleep(20)
      }
    },
    async end(signal) {
      const startedAt = performance.now()
      child.kill(signal)
      const code = await ended()
      return { tookMs: performance.now() - startedAt, code }
    },
  }
}
