import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How an application behaves that uses a sample database. */
export interface WriterOptions {
  readonly path: string
  /** `write` moves money between accounts; `read` adds up all balances. */
  readonly role: 'write' | 'read'
  /** Transactions a second; 0 for as many as it can. */
  readonly perSecond: number
  /** How likely a checkpoint of a random kind follows each transaction. */
  readonly checkpointChance?: number
  readonly busyTimeoutMs?: number
  /** Makes the choices repeatable; different in every process otherwise. */
  readonly seed?: number
}

/** What an application has lived through. */
export interface WriterReport {
  readonly actions: number
  readonly errors: readonly string[]
  /** The longest that one transaction took. */
  readonly longestMs: number
}

/** A running application. */
export interface SqliteWriter {
  readonly pid: number
  /** Lets it finish its transaction, and tells how it went. */
  stop(): Promise<WriterReport>
  /** Ends it in the middle of whatever it is doing. */
  kill(): Promise<void>
}

/** Starts an application in a process of its own; resolves when its first transaction is over. */
export async function startSqliteWriter(options: WriterOptions): Promise<SqliteWriter> {
  const child = fork(fileURLToPath(new URL('./sqlite-writer.ts', import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  })
  const gone = once(child, 'exit')
  child.send(options)
  await Promise.race([once(child, 'message'), gone])
  const { pid } = child
  if (pid === undefined || child.exitCode !== null)
    throw new Error('the writer ended before its first transaction')
  return {
    pid,
    async stop() {
      const reported = once(child, 'message')
      child.send('stop')
      const [report] = await reported
      await gone
      // the only sender is sqlite-writer.ts
      return report as WriterReport
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
