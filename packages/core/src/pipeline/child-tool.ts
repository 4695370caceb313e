import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { AppError, cancellation } from '../errors.ts'

/** Enough for what a tool says before it quotes a long statement. */
const STDERR_TAIL_BYTES = 65_536
const LOGGED_BYTES = 4096
/** How long a tool may take to clean up after SIGTERM before its group is killed. */
const GRACE_MS = 2000

/** A program to run, without a shell. */
export interface ToolRequest {
  readonly program: string
  readonly args: readonly string[]
  /** A file descriptor is handed over as it is: no byte passes through this process. */
  readonly stdin: number | 'pipe' | 'ignore'
  readonly stdout: number | 'pipe' | 'ignore'
  /** Added to PATH and the C locale; nothing else of our own environment is handed down. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Hears what it prints to stderr as it comes, in pieces of any size: of that the exit keeps the end alone. */
  readonly onStderr?: (text: string) => void
}

/** How a program ended. */
export interface ToolExit {
  /** Null if a signal ended it. */
  readonly code: number | null
  readonly killedBy: NodeJS.Signals | null
  readonly stderrTail: string
}

/** The cause of a TOOL_FAILED. Its message is the end of stderr, for the log only: tools may quote data. */
export class ToolFailure extends Error {
  readonly exit: ToolExit

  constructor(exit: ToolExit) {
    super(exit.stderrTail.trim().slice(-LOGGED_BYTES))
    this.name = 'ToolFailure'
    this.exit = exit
  }
}

/** A running program. Neither of its promises needs to be listened to. */
export interface Tool {
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  /** Resolves when it has ended, in whatever way, and its output was read. Rejects if it could not be started. */
  readonly exit: Promise<ToolExit>
  /**
   * Like `exit`, but rejects with TOOL_FAILED unless it exited with 0, and with the cancellation after an abort.
   * Its `cause` is a {@link ToolFailure}.
   */
  readonly done: Promise<void>
  /** Ends the whole process group: SIGTERM, then SIGKILL. */
  kill(): void
}

/**
 * Starts a program in a process group of its own. It ends with the signal, and with this process even when that is
 * killed (on Linux, where `setpriv` is installed).
 */
export async function startTool(request: ToolRequest, signal: AbortSignal): Promise<Tool> {
  const prefix = (await canBindToParent()) ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
  if (signal.aborted) throw cancellation(signal)
  const [program = request.program, ...args] = [...prefix, request.program, ...request.args]
  const child = spawn(program, args, {
    detached: true,
    stdio: [request.stdin, request.stdout, 'pipe'],
    env: { ...toolEnvironment(), ...request.env },
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
  })
  const kill = () => killGroup(child)
  const exit = exitOf(child, request)
  const done = requireSuccess(exit, request.program, signal)
  done.catch(() => {})
  signal.addEventListener('abort', kill, { once: true })
  child.once('exit', (code) => code !== 0 && endOrphans(child))
  child.once('close', () => signal.removeEventListener('abort', kill))
  return { stdin: child.stdin, stdout: child.stdout, exit, done, kill }
}

const known = new Map<string, Promise<boolean>>()

/** True if a program is on PATH and starts. Asked once per program and process. */
export function toolAvailable(program: string): Promise<boolean> {
  const answer = known.get(program) ?? starts(program, ['--version'])
  known.set(program, answer)
  return answer
}

function canBindToParent(): Promise<boolean> {
  const key = 'setpriv --pdeathsig'
  const answer = known.get(key) ?? starts('setpriv', ['--pdeathsig', 'KILL', '--', 'true'])
  known.set(key, answer)
  return answer
}

async function starts(program: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(program, args, { stdio: 'ignore', env: toolEnvironment(), timeout: 5000 })
  try {
    const [code] = await once(child, 'exit')
    return code === 0
  } catch {
    return false
  }
}

/** The only read of our environment here: where programs are. Secrets in it are nobody else's business. */
function toolEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' }
}

function exitOf(child: ChildProcess, { program, onStderr }: ToolRequest): Promise<ToolExit> {
  let stderrTail = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    onStderr?.(text)
    stderrTail = (stderrTail + text).slice(-STDERR_TAIL_BYTES)
  })
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => {})
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(notStarted(program, cause))
    })
    child.once('exit', (code, killedBy) => {
      if (code !== 0) giveUpOutput(child, () => failureOf(program, { code, killedBy, stderrTail }))
    })
    // 'close', not 'exit': only then has everything it printed been read
    child.once('close', (code, killedBy) => resolve({ code, killedBy, stderrTail }))
  })
}

/** What a program that failed has printed may wait for ever for somebody who does not take it. */
function giveUpOutput(child: ChildProcess, failure: () => AppError): void {
  const timer = setTimeout(() => child.stdout?.destroy(failure()), GRACE_MS)
  child.once('close', () => clearTimeout(timer))
}

async function requireSuccess(
  ending: Promise<ToolExit>,
  program: string,
  signal: AbortSignal,
): Promise<void> {
  const exit = await ending
  if (signal.aborted) throw cancellation(signal)
  if (exit.code !== 0) throw failureOf(program, exit)
}

function failureOf(program: string, exit: ToolExit): AppError {
  // what shells and setpriv answer for a program that is not there
  if (exit.code === 127) return notStarted(program, new ToolFailure(exit))
  const how = exit.code === null ? `was ended by ${exit.killedBy}` : `exited with ${exit.code}`
  return new AppError('TOOL_FAILED', `${program} ${how}`, { cause: new ToolFailure(exit) })
}

function notStarted(program: string, cause: unknown): AppError {
  return new AppError('TOOL_FAILED', `${program} could not be started`, { cause, hint: `install ${program}` })
}

function killGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM')
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS)
  timer.unref()
  child.once('close', () => clearTimeout(timer))
  // unread output would keep 'close' from ever coming
  for (const stream of [child.stdin, child.stdout]) stream?.destroy()
}

/** Processes of a program that failed would work on for nobody, and keep its output open. */
function endOrphans({ pid }: ChildProcess): void {
  try {
    // its number is no other's as long as one of its group is left
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // it had none
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  // once it was reaped its number may be another's
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // the group is gone already
  }
}
