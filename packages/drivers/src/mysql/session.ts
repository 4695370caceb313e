import { AppError, cancellation, throwIfAborted } from '@holdfast/core'
import type { Param } from './ask.ts'
import { ask, fillIn } from './ask.ts'
import type { ConnectedClient } from './connect.ts'
import { connectClient } from './connect.ts'
import { endBackend } from './end-backend.ts'
import { endsConnection, toFailureOf } from './failure.ts'
import type { ServerFacts } from './flavours.ts'
import type { MysqlConnection } from './mysql-url.ts'
import type { Backend } from './session-settings.ts'
import { prepareSession } from './session-settings.ts'
import { holdLock } from './tag.ts'

/** What a session is for. */
export interface SessionOptions {
  /** What it works in by default; null for nothing. */
  readonly schema: string | null
  /** Ends the session at any time, on the server too. */
  readonly signal: AbortSignal
  /** A user lock that it holds as long as it lives, by which others find it; see `tag.ts`. */
  readonly lockName?: string
}

export interface QueryOptions {
  /** Without an answer by then the connection counts as lost. */
  readonly withinMs?: number
  /** `binary`: each character of the statement, U+0000 to U+00FF, is sent as one byte. */
  readonly encoding?: 'utf8' | 'binary'
}

/** One connection to one server. Its queries run one after another. */
export interface Session {
  /** Of the connection, as KILL takes it. */
  readonly id: number
  readonly server: ServerFacts
  /** Whether it is encrypted, which `sslmode=prefer` leaves open. */
  readonly encrypted: boolean
  /** Aborted, with an {@link AppError} as the reason, when the connection is lost without anybody having closed it. */
  readonly lost: AbortSignal
  /**
   * The rows of one statement, whose question marks stand for values in every sql_mode. Integers of eight bytes (COUNT
   * is one), decimals, dates, times and JSON come as texts, bytes and geometry as buffers, the rest of the numbers as
   * numbers. Rejects with what {@link toFailureOf} makes of the answer, or with the cancellation.
   */
  query<Row extends object>(
    sql: string,
    params?: readonly Param[],
    options?: QueryOptions,
  ): Promise<readonly Row[]>
  /** Ends the session, in bounded time. Never rejects. */
  close(): Promise<void>
}

const CLOSED_WITHIN_MS = 2_000

/**
 * Connects and pins every setting that could change what statements mean. Rejects with TARGET_UNREACHABLE,
 * DATABASE_NOT_FOUND, DATABASE_ACCESS_DENIED, INVALID_CONNECTION, UNSUPPORTED_ENGINE or the cancellation; with
 * DATABASE_LOCKED if another session holds the lock.
 */
export async function openSession(connection: MysqlConnection, options: SessionOptions): Promise<Session> {
  throwIfAborted(options.signal)
  const connected = await connectClient(connection, options, (client) => prepareSession(client, connection))
  const session = new ClientSession(connected, connected.prepared, connection, options.signal)
  try {
    if (options.lockName !== undefined) await holdLock(session, options.lockName)
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

class ClientSession implements Session {
  readonly #connected: ConnectedClient
  readonly #backend: Backend
  readonly #connection: MysqlConnection
  readonly #signal: AbortSignal
  readonly #lost = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #running = false
  #endedOnServer: Promise<void> = Promise.resolve()
  #closed: Promise<void> | null = null

  constructor(
    connected: ConnectedClient,
    backend: Backend,
    connection: MysqlConnection,
    signal: AbortSignal,
  ) {
    this.#connected = connected
    this.#backend = backend
    this.#connection = connection
    this.#signal = signal
    connected.client.on('error', (error: unknown) => this.#lose(toFailureOf(error)))
    connected.socket.once('close', () => this.#lose(cut()))
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
    if (connected.socket.destroyed) this.#lose(cut())
  }

  get id(): number {
    return this.#backend.id
  }

  get server(): ServerFacts {
    return this.#backend.server
  }

  get encrypted(): boolean {
    return this.#connected.encrypted
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async query<Row extends object>(
    sql: string,
    params: readonly Param[] = [],
    options: QueryOptions = {},
  ): Promise<readonly Row[]> {
    const statement = fillIn(sql, params)
    if (Buffer.byteLength(statement) > this.#backend.longestStatementBytes) throw tooLong()
    const turn = this.#last.then(() => this.#run(statement, options))
    this.#last = turn.catch(() => {})
    // what the columns of a statement are is known to who wrote it
    return (await turn) as readonly Row[]
  }

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #run(sql: string, { withinMs, encoding }: QueryOptions): Promise<readonly unknown[]> {
    this.#requireOpen()
    const timer = withinMs === undefined ? undefined : setTimeout(() => this.#giveUp(), withinMs)
    this.#running = true
    try {
      return await ask(this.#connected.client, sql, encoding)
    } catch (error) {
      throw this.#failureOf(error)
    } finally {
      this.#running = false
      clearTimeout(timer)
    }
  }

  #failureOf(error: unknown): unknown {
    if (this.#signal.aborted) return cancellation(this.#signal)
    if (this.#lost.signal.aborted) return this.#lost.signal.reason
    const failure = toFailureOf(error)
    // the server says why it goes before it does
    if (endsConnection(error)) this.#lose(failure)
    return failure
  }

  #requireOpen(): void {
    throwIfAborted(this.#signal)
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason
    if (this.#closed !== null) throw new Error('the session is closed')
  }

  /** The first reason counts: the last thing that a connection says is only that it is gone. */
  #lose(reason: unknown): void {
    if (this.#closed !== null || this.#signal.aborted || this.#lost.signal.aborted) return
    this.#lost.abort(reason)
  }

  #giveUp(): void {
    const message = 'the MySQL server did not answer in time'
    const hint = 'check the network and the load of the server'
    this.#lose(new AppError('TARGET_UNREACHABLE', message, { hint }))
    this.#connected.socket.destroy()
  }

  readonly #onAbort = (): void => {
    this.#connected.socket.destroy()
    // one that waits for statements notices by itself
    if (this.#running) this.#endedOnServer = endBackend(this.#connection, this.#backend)
  }

  async #end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, CLOSED_WITHIN_MS)
    await Promise.race([Promise.all([this.#quit(), this.#endedOnServer]), late.promise])
    clearTimeout(timer)
    this.#connected.socket.destroy()
  }

  #quit(): Promise<void> {
    const { client, socket } = this.#connected
    if (socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      socket.once('close', () => resolve())
      client.end(() => resolve())
    })
  }
}

function tooLong(): AppError {
  return new AppError('TOOL_FAILED', 'a statement is larger than max_allowed_packet of the MySQL server', {
    hint: 'raise max_allowed_packet on the server, up to 1G',
  })
}

function cut(): AppError {
  return new AppError('TARGET_UNREACHABLE', 'the connection to the MySQL server was cut')
}
