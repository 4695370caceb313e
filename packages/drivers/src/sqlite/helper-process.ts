import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '@holdfast/core'
import type { JobHooks } from './helper-conversation.ts'
import { converse } from './helper-conversation.ts'
import type { HelperJobs, JobName } from './protocol.ts'

/** Linux: the kernel itself kills the child when its parent dies, also by SIGKILL. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path))
const ENTRY = fileURLToPath(new URL('./helper/main.ts', import.meta.url))

const STDERR_BYTES = 4096

/** How a helper stands after a job: reusable, or about to be gone. */
export type HelperState = 'idle' | 'busy' | 'spent'

/**
 * A process in which databases are opened: closing any descriptor of a database drops the locks that the process
 * holds on it, and SQLite's work is synchronous, so neither may happen where other work goes on.
 */
export class HelperProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #stderr = ''
  #state: HelperState = 'idle'

  constructor() {
    const ownArgs = ['--disable-warning=ExperimentalWarning']
    const wrapped = ['--pdeathsig', 'KILL', '--', process.execPath, ...ownArgs]
    this.#child = fork(ENTRY, [], {
      execPath: SETPRIV ?? process.execPath,
      execArgv: SETPRIV === undefined ? ownArgs : wrapped,
      // paths and everything else come as messages; the environment may hold secrets that no helper needs
      env: cacheEnvironment(),
      cwd: '/',
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', (error) => {
        this.#stderr += error.message
        if (this.#child.pid === undefined) resolve()
      })
    })
    void this.#exited.then(() => {
      this.#state = 'spent'
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-STDERR_BYTES)
    })
    this.#holdLoop(false)
  }

  get state(): HelperState {
    return this.#state
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * Does one job. Must be idle. Rejects with the helper's failure, with {@link HelperLost} if it dies, and with
   * CANCELLED if the signal ends it.
   */
  async run<Name extends JobName>(
    name: Name,
    input: HelperJobs[Name]['input'],
    hooks: JobHooks,
  ): Promise<HelperJobs[Name]['output']> {
    this.#state = 'busy'
    this.#holdLoop(true)
    const ending = await converse(this.#child, { type: 'job', name, input }, hooks)
    if (ending.kind !== 'lost' && ending.isReusable) this.#release()
    else await this.kill()
    if (ending.kind === 'lost') throw new HelperLost(ending.hadBegun, this.#stderr)
    if (ending.kind === 'failed') throw ending.error
    // the helper is of this very release: what it answers to this name is this output
    return ending.output as HelperJobs[Name]['output']
  }

  /** Ends the process at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#state = 'spent'
    // or else the loop may end before the news of its death arrives
    this.#child.ref()
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #release(): void {
    if (this.#state === 'spent') return
    this.#state = 'idle'
    this.#holdLoop(false)
  }

  /** A helper that waits for work must not keep its owner from ending. */
  #holdLoop(hold: boolean): void {
    const { channel, stderr } = this.#child
    if (hold) {
      this.#child.ref()
      channel?.ref()
      return
    }
    this.#child.unref()
    channel?.unref()
    if (stderr !== null && 'unref' in stderr && typeof stderr.unref === 'function') stderr.unref()
  }
}

/** The helper ended before its work, for no reason of ours. */
export class HelperLost extends AppError {
  /** Whether it may have done some of the work. */
  readonly hadBegun: boolean

  constructor(hadBegun: boolean, lastWords: string) {
    super('TOOL_FAILED', 'the SQLite helper process ended before its work', {
      retryable: true,
      hint: 'the system may have run out of memory: look at its log',
      cause: new Error(lastWords.trim() || 'it said nothing'),
    })
    this.hadBegun = hadBegun
  }
}

/** A compile cache, if this process uses one: it spares a helper a third of its memory and most of its start. */
function cacheEnvironment(): NodeJS.ProcessEnv {
  // the name that Node gives is of a directory for this very release inside the one that was asked for
  const directory = getCompileCacheDir()
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) }
}
