import { AppError, cancellation, throwIfAborted } from '@holdfast/core'
import type { QueryResultRow } from 'pg'
import { connectClient } from './connect.ts'
import { toFailureOf } from './failure.ts'
import type { PinnedClient } from './pinned-client.ts'
import type { PostgresConnection } from './postgres-url.ts'
import { prepare } from './session-settings.ts'

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
/** How long the end of the server's work may take after an abort. */
const ENDED_WITHIN_MS = 3_000

/**
 * Connects, pins every setting that could change what queries mean, and makes sure that it is the database asked for.
 * Rejects with TARGET_UNREACHABLE, DATABASE_NOT_FOUND, DATABASE_ACCESS_DENIED, INVALID_CONNECTION or the cancellation.
 */
export async function openSession(connection: PostgresConnection, options: SessionOptions): Promise<Session> {
  throwIfAborted(options.signal)
  const client = await connectClient(connection, options)
  const session = new ClientSession(client, connection, options)
  try {
    await session.prepare()
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

class ClientSession implements Session {
  readonly database: string
  pid = 0
  serverVersion = 0
  readonly #client: PinnedClient
  readonly #connection: PostgresConnection
  readonly #signal: AbortSignal
  readonly #lost = new AbortController()
  #startedAt = ''
  #last: Promise<unknown> = Promise.resolve()
  #running = false
  #closed: Promise<void> | null = null
  #serverSide: Promise<void> = Promise.resolve()

  constructor(client: PinnedClient, connection: PostgresConnection, { database, signal }: SessionOptions) {
    this.#client = client
    this.#connection = connection
    this.#signal = signal
    this.database = database
    client.on('error', (error) => this.#lose(error))
    client.on('end', () => this.#lose(new Error('Connection terminated')))
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async prepare(): Promise<void> {
    const within = { withinMs: this.#connection.connectTimeoutMs }
    const { pid, serverVersion, startedAt } = await prepare(this, this.#connection, within)
    this.pid = pid
    this.serverVersion = serverVersion
    this.#startedAt = startedAt
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
      // without parameters the simple protocol, which takes several statements and then has several results
      const result = await (params.length === 0
        ? this.#client.query<Row>(sql)
        : this.#client.query<Row>(sql, [...params]))
      const results: unknown = result
      const last = Array.isArray(results) ? results.at(-1) : result
      return last?.rows ?? []
    } catch (error) {
      if (this.#signal.aborted) throw cancellation(this.#signal)
      throw this.#lost.signal.reason ?? toFailureOf(error)
    } finally {
      this.#running = false
      clearTimeout(timer)
    }
  }

  #requireOpen(): void {
    throwIfAborted(this.#signal)
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason
    if (this.#closed !== null) throw new Error('the session is closed')
  }

  /** A reason given here goes before what the end of the connection says later. */
  #lose(error: unknown): void {
    if (this.#closed !== null || this.#signal.aborted || this.#lost.signal.aborted) return
    this.#lost.abort(toFailureOf(error))
  }

  #giveUp(): void {
    this.#lose(
      new AppError('TARGET_UNREACHABLE', 'the PostgreSQL server did not answer in time', {
        hint: 'check the network and the load of the server',
      }),
    )
    this.#client.connection.stream.destroy()
  }

  readonly #onAbort = (): void => {
    const wasRunning = this.#running
    this.#client.connection.stream.destroy()
    if (wasRunning && this.pid !== 0) this.#serverSide = this.#endOnServer()
  }

  /** Over a second connection, as well as it goes: a server that works does not notice that nobody listens. */
  async #endOnServer(): Promise<void> {
    const signal = AbortSignal.timeout(ENDED_WITHIN_MS)
    const options = { database: this.database, applicationName: 'holdfast', signal }
    const session = await openSession(this.#connection, options).catch(() => null)
    await session
      ?.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid = $1 AND backend_start::text = $2`,
        [this.pid, this.#startedAt],
      )
      .catch(() => [])
    await session?.close()
  }

  async #end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSED_WITHIN_MS)
    })
    const ended = this.#client.end().catch(() => {})
    await Promise.race([Promise.all([ended, this.#serverSide]), late])
    clearTimeout(timer)
    this.#client.connection.stream.destroy()
  }
}
