import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { System } from './system.ts'

const MAIN = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url))
const LONGEST_MS = 30_000

/** How a command ended, and everything that it printed. */
export interface CommandEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Words for Node.js itself. */
  readonly nodeArgs?: readonly string[]
}

/** A `holdfast` process at work. */
export interface RunningCommand {
  readonly child: ChildProcessWithoutNullStreams
  readonly end: Promise<CommandEnd>
  /** Resolves once the text was printed; rejects if the process ends before. */
  saw(text: string): Promise<void>
}

/** The command line of one system, as its administrator would use it. */
export interface Cli {
  (...args: readonly string[]): Promise<CommandEnd>
  with(options: CommandOptions, ...args: readonly string[]): Promise<CommandEnd>
  /** Runs with `--json`, requires that it ends well, and returns the document. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into documents of every shape
  json(...args: readonly string[]): Promise<any>
  start(...args: readonly string[]): RunningCommand
  /** Runs on a pseudo-terminal, answering each prompt that is seen. The output holds both streams. */
  onTerminal(
    args: readonly string[],
    answers: readonly (readonly [prompt: string, answer: string])[],
  ): Promise<CommandEnd>
}

/** What is typed for Ctrl-C. */
export const CTRL_C = '\u0003'

/** Makes the command line of a system. */
export function cliOf(system: Pick<System, 'url' | 'apiKey'>): Cli {
  const env = { HOLDFAST_URL: system.url, HOLDFAST_API_KEY: system.apiKey }
  const start = (args: readonly string[], options: CommandOptions = {}) => {
    const words = [...(options.nodeArgs ?? []), MAIN, ...args]
    return launch(process.execPath, words, { ...options, env: { ...env, ...options.env } })
  }
  const run = (args: readonly string[], options: CommandOptions = {}) => {
    const { child, end } = start(args, options)
    child.stdin.end(options.input ?? '')
    return end
  }
  const extras = {
    with: (options: CommandOptions, ...args: readonly string[]) => run(args, options),
    start: (...args: readonly string[]) => start(args),
    async json(...args: readonly string[]) {
      const { code, stdout, stderr } = await run([...args, '--json'])
      if (code !== 0 || stderr !== '') throw new Error(`holdfast ${args.join(' ')}: ${code} ${stderr}`)
      return JSON.parse(stdout)
    },
    onTerminal: (args: readonly string[], answers: readonly (readonly [string, string])[]) =>
      converse(launchOnTerminal(args, env), answers),
  }
  return Object.assign((...args: readonly string[]) => run(args), extras)
}

async function converse(
  command: RunningCommand,
  answers: readonly (readonly [prompt: string, answer: string])[],
): Promise<CommandEnd> {
  for (const [prompt, answer] of answers) {
    await command.saw(prompt)
    command.child.stdin.write(answer)
  }
  return command.end
}

/** `script` of util-linux gives the program a terminal, and ends with its status. */
function launchOnTerminal(args: readonly string[], env: Readonly<Record<string, string>>): RunningCommand {
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  return launch('script', ['-qec', words.join(' '), '/dev/null'], { env: { ...env, TERM: 'xterm' } })
}

function launch(program: string, words: readonly string[], options: CommandOptions): RunningCommand {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(program, words, {
    env: { PATH, HOME, NODE_COMPILE_CACHE, SHELL: '/bin/sh', ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    // for one that hangs: the test that waits for it fails
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  })
  const printed = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    printed.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    printed.stderr += chunk
  })
  // a program that does not read its input may be gone before it was written
  child.stdin.on('error', () => undefined)
  const end = once(child, 'close').then(([code]): CommandEnd => ({ code, ...printed }))
  return {
    child,
    end,
    async saw(text) {
      while (!`${printed.stdout}${printed.stderr}`.includes(text)) {
        const more = Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), end])
        await more
        if (child.exitCode !== null) throw new Error(`ended without '${text}': ${JSON.stringify(printed)}`)
      }
    },
  }
}
