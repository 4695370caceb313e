import { spawn } from 'node:child_process'
import { STOP_SIGNALS } from './interrupts.mjs'
import { tieToParent } from './tie-to-parent.mjs'

/** Ctrl-C under `npm run` comes twice: from the terminal and passed on by npm. A person is slower than this. */
const SAME_SIGNAL_MS = 1_000
const PARENT_POLL_MS = 1_000

/**
 * Runs a program with our terminal until it ends, passes signals on, and ends as it did.
 *
 * The program gets a session of its own: otherwise the terminal would signal it too, and most servers take a second
 * signal as the order to drop everything. Should we be killed, the system (Linux) asks the program to end; should our
 * parent be killed and we be no use without it, we do.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, endsWithParent: boolean }} options
 * @returns {Promise<never>}
 */
export async function runToEnd(file, args, { env, endsWithParent }) {
  const [program = file, ...before] = [...tieToParent('TERM', env.PATH ?? ''), file]
  const child = spawn(program, [...before, ...args], { stdio: 'inherit', env, detached: true })

  /** @type {{ signal: NodeJS.Signals, at: number } | null} */
  let last = null
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    const now = Date.now()
    if (last !== null && last.signal === signal && now - last.at < SAME_SIGNAL_MS) return
    last = { signal, at: now }
    child.kill(signal)
  }
  /** @type {readonly NodeJS.Signals[]} */
  const passedOn = [...STOP_SIGNALS, 'SIGWINCH', 'SIGUSR2']
  for (const signal of passedOn) process.on(signal, passOn)
  const parent = process.ppid
  const watch = setInterval(() => {
    if (endsWithParent && process.ppid !== parent) passOn('SIGTERM')
  }, PARENT_POLL_MS)

  const end = await new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 1, signal: null, error }))
    child.on('exit', (code, signal) => resolve({ code, signal, error: null }))
  })
  if (end.error !== null) process.stderr.write(`could not start ${file}: ${end.error.message}\n`)
  clearInterval(watch)
  for (const signal of passedOn) process.off(signal, passOn)
  if (end.signal !== null) process.kill(process.pid, end.signal)
  process.exit(end.code ?? 1)
}
