import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, cancellation, startTool } from '@holdfast/core'
import type { Archive } from './archive.ts'
import { countStatements, statementsOf } from './in-place-script.ts'
import { linesOf } from './lines.ts'
import { restriction } from './load-dump.ts'
import { failureOfLoad } from './load-failure.ts'
import type { ToolPlace } from './run-psql.ts'
import { loadEnvironment, psqlArguments } from './run-psql.ts'
import { ToolLog } from './tool-log.ts'
import type { ExpectedRows } from './verify-rows.ts'
import { requireRows } from './verify-rows.ts'

/** A dump that is loaded where it stays. */
export interface InPlaceLoad extends ToolPlace {
  readonly archive: Archive
  readonly keepOwners: boolean
  readonly expected: ExpectedRows
  /** Hears the number of the transaction when all is loaded and right; the commit waits for it. */
  readonly onLoaded: (transaction: string) => Promise<void>
}

/** A network that is cut must not leave a transaction open for hours. */
const BEGIN = `
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 4;
BEGIN;
`
/** The dump has set what suits itself. */
const FOR_OURSELVES = `
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
ANALYZE;
`

/**
 * Loads a dump into an empty database in a single transaction and counts its rows before the commit. Rejects like
 * `loadDump`; if it does after `onLoaded` was heard, only the number of the transaction tells whether it was committed.
 */
export async function loadInPlace(load: InPlaceLoad, signal: AbortSignal): Promise<void> {
  const log = new ToolLog()
  const { archive, tools } = load
  // an archive is no script: what pg_restore makes of it says so itself
  const restricted = archive.format === 'plain' ? await restriction(archive.path, tools) : []
  const args = [...psqlArguments(load), '-A', '-t', ...restricted, '-f', '-']
  const io = { stdin: 'pipe', stdout: 'pipe', env: loadEnvironment(load), onStderr: log.hear } as const
  const tool = await startTool({ program: tools.psql, args, ...io }, signal)
  const conversation = new Conversation(load, signal)
  const listening = tool.stdout === null ? null : conversation.listen(tool.stdout).catch(() => {})
  const content = Readable.from(conversation.statements(), { objectMode: false })
  // a psql that has stopped neither reads nor prints: its exit says why
  const speaking = tool.stdin === null ? null : pipeline(content, tool.stdin).catch(() => {})
  try {
    await Promise.race([tool.done, conversation.failed])
    await tool.done
  } catch (error) {
    tool.kill()
    await tool.exit.catch(() => {})
    throw error === conversation.failure ? error : await failureOfLoad(error, 'psql', log, null)
  } finally {
    conversation.end()
    await speaking
    await listening
  }
}

/** What is said to psql, and what it answers. */
class Conversation {
  readonly #load: InPlaceLoad
  readonly #signal: AbortSignal
  /** Begins our lines: nothing in a dump can know it. */
  readonly #word = randomBytes(16).toString('hex')
  readonly #failed = Promise.withResolvers<never>()
  readonly #ready = Promise.withResolvers<void>()
  readonly #counts = new Map<number, number>()
  #transaction = ''
  failure: unknown = null

  constructor(load: InPlaceLoad, signal: AbortSignal) {
    this.#load = load
    this.#signal = signal
    this.#failed.promise.catch(() => {})
    this.#ready.promise.catch(() => {})
  }

  /** Rejects if the dump or the caller says no. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  async *statements(): AsyncGenerator<Buffer> {
    const { archive, tools, keepOwners, expected } = this.#load
    const word = this.#word
    try {
      yield Buffer.from(`${BEGIN}SELECT '${word} transaction ' || txid_current();\n`)
      yield* statementsOf(archive, tools, keepOwners, this.#signal)
      yield Buffer.from(`${FOR_OURSELVES}${countStatements([...expected.keys()], word)}`)
      yield Buffer.from(`SELECT '${word} transaction ' || txid_current();\nSELECT '${word} ready';\n`)
      await this.#ready.promise
      this.#requireAllRows()
      await this.#load.onLoaded(this.#transaction)
      yield Buffer.from('COMMIT;\n')
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  async listen(output: Readable): Promise<void> {
    for await (const line of linesOf(output)) {
      if (line.startsWith(this.#word)) this.#hear(line.slice(this.#word.length + 1).split(' '))
    }
  }

  /** Whoever waits for psql waits no longer. */
  end(): void {
    this.#ready.reject(this.#signal.aborted ? cancellation(this.#signal) : new Error('psql has ended'))
  }

  #hear([what = '', value = '']: readonly string[]): void {
    if (what === 'ready') this.#ready.resolve()
    else if (what !== 'transaction') this.#counts.set(Number(what), Number(value))
    else if (this.#transaction === '' || this.#transaction === value) this.#transaction = value
    else
      this.#fail(
        new AppError('VERIFICATION_FAILED', 'not restorable in one transaction: the dump ends it by itself'),
      )
  }

  #requireAllRows(): void {
    for (const [at, [key, rows]] of [...this.#load.expected].entries()) {
      requireRows(key, this.#counts.get(at) ?? Number.NaN, rows)
    }
  }

  #fail(error: unknown): void {
    this.failure ??= error
    this.#failed.reject(this.failure)
  }
}
