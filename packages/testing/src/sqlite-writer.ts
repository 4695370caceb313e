// A process that works on a sample database as an application would: run by `startSqliteWriter`, never imported.
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { seededRandom } from './damage.ts'
import type { WriterOptions, WriterReport } from './start-sqlite-writer.ts'

process.once('disconnect', () => process.exit(0))
process.once('message', (options: WriterOptions) => void work(options))

/** Keeps to its rate until it is told to stop, then reports and ends. */
async function work(options: WriterOptions): Promise<void> {
  const application = new Application(options)
  let isStopping = false
  process.once('message', () => {
    isStopping = true
  })
  const startedAt = performance.now()
  const intervalMs = options.perSecond === 0 ? 0 : 1000 / options.perSecond
  for (let done = 0; !isStopping; done += 1) {
    application.act()
    if (done === 0) process.send?.('ready')
    await delay(Math.max(0, startedAt + (done + 1) * intervalMs - performance.now()))
  }
  process.send?.(application.report(), () => process.disconnect())
}

class Application {
  readonly #database: Database.Database
  readonly #options: WriterOptions
  readonly #random: () => number
  readonly #errors: string[] = []
  #actions = 0
  #longestMs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed ?? process.pid)
    this.#database = new Database(options.path, {
      fileMustExist: true,
      timeout: options.busyTimeoutMs ?? 5000,
    })
    this.#database.pragma('synchronous = NORMAL')
  }

  act(): void {
    const startedAt = performance.now()
    try {
      if (this.#options.role === 'read') this.#read()
      else this.#write()
      this.#actions += 1
    } catch (error) {
      this.#errors.push(error instanceof Error ? error.message : String(error))
    }
    this.#longestMs = Math.max(this.#longestMs, performance.now() - startedAt)
    if (this.#random() < (this.#options.checkpointChance ?? 0)) this.#checkpoint()
  }

  report(): WriterReport {
    this.#database.close()
    return { actions: this.#actions, errors: this.#errors, longestMs: this.#longestMs }
  }

  /** Several statements that only together keep the invariants. */
  #write(): void {
    const sender = this.#pick(100)
    const receiver = this.#pick(100)
    const amount = this.#pick(20)
    const run = (sql: string, ...values: (number | Buffer)[]) => this.#database.prepare(sql).run(...values)
    this.#database
      .transaction(() => {
        run('UPDATE accounts SET balance = balance - ? WHERE id = ?', amount, sender)
        const note = Buffer.alloc(this.#pick(400), 'n')
        run(
          'INSERT INTO transfers (sender, receiver, amount, note) VALUES (?, ?, ?, ?)',
          sender,
          receiver,
          amount,
          note,
        )
        run(
          'UPDATE accounts SET balance = balance + ?, received = received + ? WHERE id = ?',
          amount,
          amount,
          receiver,
        )
        run('UPDATE ledger SET transfers = transfers + 1')
      })
      .immediate()
  }

  #read(): void {
    const sum = this.#database.prepare('SELECT sum(balance) FROM accounts').pluck().get()
    if (sum !== 100_000) throw new Error(`a reader saw balances that add up to ${String(sum)}`)
  }

  #checkpoint(): void {
    const modes = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']
    try {
      this.#database.pragma(`wal_checkpoint(${modes[this.#pick(modes.length) - 1] ?? 'PASSIVE'})`)
    } catch (error) {
      // readers may be in the way of a checkpoint; that is no failure of theirs or ours
      if (!(error instanceof Database.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error
    }
  }

  /** A number from 1 to `most`. */
  #pick(most: number): number {
    return 1 + Math.floor(this.#random() * most)
  }
}
