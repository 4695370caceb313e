import { AppError, cancellation, throwIfAborted } from '@holdfast/core'
import type { QueryResultRow } from 'pg'
import { DatabaseError } from 'pg'
import type { ConnectedClient } from './connect.ts'
import { connectClient } from './connect.ts'
import { endBackend } from './end-backend.ts'
import { toFailureOf } from './failure.ts'
import type { PostgresConnection } from './postgres-url.ts'

/** What a session is for. */
export interface SessionOptions {
  readonly database: string
  /** As other sessions see it; see `tag.ts`. */
  readonly applicationName: string
  /** Ends the session at any time, on the server too. */
  readonly signal: AbortSignal
}

export interface QueryOptions {
  /** Without an answer by then the connection counts as lost. */
  readonly withinMs?: number
}

/** One connection to one database, which it was made sure of. Its queries run one after another. */
export interface Session {
  readonly database: string
  readonly pid: number
  /** Like server_version_num: 150020. */
  readonly serverVersion: number
  /** Aborted, with an {@link AppError} as the reason, when the connection is lost without anybody having closed it. */
  readonly lost: AbortSignal
  /**
   * The rows of a statement (of the last one, if there are several). Rejects with what {@link toFailureOf} makes of
   * the answer, or with the cancellation. The search path is empty: names outside pg_catalog need their schema.
   */
  query<Row extends QueryResultRow>(
    sql: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<readonly Row[]>
  /** Ends the session, in bounded time. Never rejects. */
  close(): Promise<void>
}

const CLOSED_WITHIN_MS = 2_000

/**
 * Connects, pins every setting that could change what queries mean, and makes sure that it is the database asked for.
 * Rejects with TARGET_UNREACHABLE, DATABASE_NOT_FOUND, DATABASE_ACCESS_DENIED, INVALID_CONNECTION or the cancellation.
 */
export async function openSession(connection: PostgresConnection, options: SessionOptions): Promise<Session> {
  throwIfAborted(options.signal)
  return new ClientSession(await connectClient(connection, options), connection, options)
}

class ClientSession implements Session {
  readonly database: string
  readonly #connected: ConnectedClient
  readonly #connection: PostgresConnection
  readonly #signal: AbortSignal
  readonly #lost = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #running = false
  #endedOnServer: Promise<void> = Promise.resolve()
  #closed: Promise<void> | null = null

  constructor(connected: ConnectedClient, connection: PostgresConnection, options: SessionOptions) {
    this.database = options.database
    this.#connected = connected
    this.#connection = connection
    this.#signal = options.signal
    connected.client.on('error', (error) => this.#lose(toFailureOf(error)))
    connected.client.on('end', () => this.#lose(toFailureOf(new Error('Connection terminated'))))
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal.aborted) this.#onAbort()
  }

  get pid(): number {
    return this.#connected.backend.pid
  }

  get serverVersion(): number {
    return this.#connected.backend.serverVersion
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async query<Row extends QueryResultRow>(
    sql: string,
    params: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Promise<readonly Row[]> {
    const turn = this.#last.then(() => this.#run<Row>(sql, params, options))
    this.#last = turn.catch(() => {})
    return await turn
  }

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #run<Row extends QueryResultRow>(
    sql: string,
    params: readonly unknown[],
    { withinMs }: QueryOptions,
  ): Promise<readonly Row[]> {
    this.#requireOpen()
    const timer = withinMs === undefined ? undefined : setTimeout(() => this.#giveUp(), withinMs)
    this.#running = true
    try {
      return await this.#ask<Row>(sql, params)
    } catch (error) {
      throw this.#failureOf(error)
    } finally {
      this.#running = false
      clearTimeout(timer)
    }
  }

  async #ask<Row extends QueryResultRow>(sql: string, params: readonly unknown[]): Promise<readonly Row[]> {
    const { client } = this.#connected
    if (params.length > 0) return (await client.query<Row>(sql, [...params])).rows
    // the simple protocol takes several statements; then there is a list of results, unknown to the library's types
    const result = await client.query<Row>(sql)
    const last = Array.isArray(result) ? result.at(-1) : result
    return last?.rows ?? []
  }

  #failureOf(error: unknown): unknown {
    if (this.#signal.aborted) return cancellation(this.#signal)
    if (this.#lost.signal.aborted) return this.#lost.signal.reason
    const failure = toFailureOf(error)
    // the server says why it goes before it does
    const isLast = error instanceof DatabaseError && (error.code?.startsWith('57P') ?? false)
    if (isLast) this.#lose(failure)
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
    const message = 'the PostgreSQL server did not answer in time'
    const hint = 'check the network and the load of the server'
    this.#lose(new AppError('TARGET_UNREACHABLE', message, { hint }))
    this.#destroy()
  }

  readonly #onAbort = (): void => {
    this.#destroy()
    // one that waits for queries notices by itself
    if (this.#running) {
      this.#endedOnServer = endBackend(this.#connection, this.database, this.#connected.backend)
    }
  }

  async #end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, CLOSED_WITHIN_MS)
    const ended = this.#connected.client.end().catch(() => {})
    await Promise.race([Promise.all([ended, this.#endedOnServer]), late.promise])
    clearTimeout(timer)
    this.#destroy()
  }

  #destroy(): void {
    this.#connected.client.connection.stream.destroy()
  }
}
