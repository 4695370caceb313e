import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { descendantsOf, waitUntilGone } from '../processes.ts'
import type { Credentials } from './unprivileged-user.ts'

const READY_MS = 60_000
const POLL_MS = 20

/*
 * Runs the server as a child and ends it when standard input closes: the kernel closes that when the test process
 * dies, however it dies. The directory goes with the server unless a file says that it starts again.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( read -r _ <&3; kill -CONT $server; kill -"$HOLDFAST_TEST_SIGNAL" $server ) 2>/dev/null &
wait $server
[ -e "$HOLDFAST_TEST_DIR/keep" ] || rm -rf "$HOLDFAST_TEST_DIR"
`

/** What differs between servers. */
export interface ServerKind {
  readonly title: string
  /** What its log says when it accepts connections. */
  readonly ready: RegExp
  /** Where it writes the id of its first process, below its directory. */
  readonly pidFile: string
  /** Ends it at once, telling its clients. */
  readonly haltSignal: 'QUIT' | 'TERM'
  /** Ends it when nobody needs it or its data any more. */
  readonly endSignal: 'QUIT' | 'KILL'
}

/** The process of a server that has all of its files in one directory: started, frozen, ended, started again. */
export class ServerProcess {
  readonly directory: string
  readonly #kind: ServerKind
  readonly #command: readonly string[]
  readonly #user: Credentials | null
  #keeper: ChildProcess | null = null

  constructor(kind: ServerKind, directory: string, command: readonly string[], user: Credentials | null) {
    this.#kind = kind
    this.directory = directory
    this.#command = command
    this.#user = user
  }

  /** Resolves when the server accepts connections. */
  async start(): Promise<void> {
    if (this.#keeper !== null) throw new Error('this server is running already')
    await this.#keep()
    const log = await open(join(this.directory, 'log'), 'a')
    const { size } = await log.stat()
    const keeper = spawn('/bin/sh', ['-c', KEEPER, 'keeper', ...this.#command], {
      cwd: this.directory,
      env: {
        ...process.env,
        HOLDFAST_TEST_DIR: this.directory,
        HOLDFAST_TEST_SIGNAL: this.#kind.endSignal,
      },
      stdio: ['pipe', log.fd, log.fd],
      ...this.#user,
    })
    this.#keeper = keeper
    await log.close()
    const isReady = await this.#waitForLog(this.#kind.ready, size, keeper)
    if (!isReady) {
      const text = await this.log().catch(() => '')
      await this.halt()
      throw new Error(`${this.#kind.title} did not start:\n${text.slice(size)}`)
    }
    await rm(join(this.directory, 'keep'), { force: true })
  }

  /** Everything it has written to its log. */
  log(): Promise<string> {
    return readFile(join(this.directory, 'log'), 'utf8')
  }

  /** The processes of the server; none if it is not running. */
  async processes(): Promise<readonly number[]> {
    const { pid } = this.#keeper ?? {}
    return pid === undefined ? [] : await descendantsOf(pid)
  }

  /** A shutdown that waits for no client: they are told, the data stays. */
  async halt(): Promise<void> {
    await this.#keep()
    const first = await this.#firstProcess()
    if (first !== null) {
      send(first, 'SIGCONT')
      send(first, `SIG${this.#kind.haltSignal}`)
      await waitUntilGone([first], READY_MS)
    }
    await this.#end()
  }

  /** SIGKILL to all of its processes at once: nobody is told, the data stays. */
  async kill(): Promise<void> {
    await this.#keep()
    // frozen first: one that is just starting would otherwise be overlooked
    const pids = await this.#signalAll('SIGSTOP')
    for (const pid of pids) send(pid, 'SIGKILL')
    await this.#end()
    await waitUntilGone(pids)
  }

  /** Stops all of its processes where they are. Connections stay open and nothing answers, nor refuses. */
  async freeze(): Promise<void> {
    await this.#signalAll('SIGSTOP')
  }

  async thaw(): Promise<void> {
    await this.#signalAll('SIGCONT')
  }

  async remove(): Promise<void> {
    await this.thaw()
    await this.#end()
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The server's first process first, and again until there is no new one. Returns all. */
  async #signalAll(signal: NodeJS.Signals): Promise<readonly number[]> {
    const first = await this.#firstProcess()
    if (first === null) return []
    const reached = new Set<number>()
    for (;;) {
      const all = [first, ...(await descendantsOf(first))]
      const fresh = all.filter((pid) => !reached.has(pid))
      if (fresh.length === 0) return [...reached]
      for (const pid of fresh) {
        reached.add(pid)
        send(pid, signal)
      }
    }
  }

  async #firstProcess(): Promise<number | null> {
    if (this.#keeper === null) return null
    const text = await readFile(join(this.directory, this.#kind.pidFile), 'utf8').catch(() => '')
    const pid = Number(text.split('\n')[0])
    return pid > 0 && (await this.processes()).includes(pid) ? pid : null
  }

  async #keep(): Promise<void> {
    await writeFile(join(this.directory, 'keep'), '')
  }

  async #end(): Promise<void> {
    const keeper = this.#keeper
    this.#keeper = null
    if (keeper === null || keeper.exitCode !== null) return
    const exited = once(keeper, 'exit')
    keeper.stdin?.end()
    await exited
  }

  async #waitForLog(words: RegExp, from: number, keeper: ChildProcess): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < READY_MS; waitedMs += POLL_MS) {
      const text = await this.log().catch(() => '')
      if (words.test(text.slice(from))) return true
      if (keeper.exitCode !== null) return false
      await delay(POLL_MS)
    }
    return false
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has just ended
  }
}
