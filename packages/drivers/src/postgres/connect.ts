import { AppError, cancellation, throwIfAborted } from '@holdfast/core'
import { DatabaseError } from 'pg'
import { KEEPALIVE } from '../client-server/keepalive.ts'
import { toFailureOf } from './failure.ts'
import { PinnedClient } from './pinned-client.ts'
import type { PostgresConnection } from './postgres-url.ts'
import type { Backend } from './session-settings.ts'
import { prepareSession } from './session-settings.ts'
import { isTlsFailure, offersNoTls, tlsFailure } from './tls-failure.ts'
import type { Tls } from './tls-options.ts'
import { tlsAttempts } from './tls-options.ts'

/** Which database to open, for what. */
export interface Wanted {
  readonly database: string
  readonly applicationName: string
  readonly signal: AbortSignal
}

/** A client that is in the right database with all settings pinned. Whoever has it must listen for its errors. */
export interface ConnectedClient {
  readonly client: PinnedClient
  readonly backend: Backend
}

/** Connects, over TLS as libpq would for the same `sslmode`. Rejects with an {@link AppError}. */
export async function connectClient(
  connection: PostgresConnection,
  wanted: Wanted,
): Promise<ConnectedClient> {
  let refusal: unknown
  for (const tls of await tlsAttempts(connection)) {
    throwIfAborted(wanted.signal)
    try {
      return await attempt(connection, wanted, tls)
    } catch (error) {
      refusal = error
      if (!mayTryOther(error, tls)) break
    }
  }
  throw tlsFailure(refusal) ?? toFailureOf(refusal)
}

/** As libpq: with and without TLS are tried in turn, as far as there are two, if one is not to be had or not let in. */
function mayTryOther(error: unknown, tls: Tls): boolean {
  if (error instanceof DatabaseError) return error.code?.startsWith('28') ?? false
  return tls !== false && (isTlsFailure(error) || offersNoTls(error))
}

async function attempt(connection: PostgresConnection, wanted: Wanted, tls: Tls): Promise<ConnectedClient> {
  const client = clientOf(connection, wanted, tls)
  const stopped = Promise.withResolvers<never>()
  const stop = (reason: AppError) => {
    stopped.reject(reason)
    client.connection.stream.destroy()
  }
  const onAbort = () => stop(cancellation(wanted.signal))
  wanted.signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => stop(tooSlow()), connection.connectTimeoutMs)
  try {
    // the library takes its time to notice that its stream is gone
    await Promise.race([client.connect(), stopped.promise])
    const preparing = prepareSession(client, wanted.database, connection)
    return { client, backend: await Promise.race([preparing, stopped.promise]) }
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    wanted.signal.removeEventListener('abort', onAbort)
  }
}

function clientOf(connection: PostgresConnection, wanted: Wanted, tls: Tls): PinnedClient {
  const { host, port, user, password } = connection
  const { database, applicationName } = wanted
  const client = new PinnedClient(
    {
      ...{ host, port, user, database },
      // a function, and never an empty text: the library would look for one in our environment and in ~/.pgpass
      password: () => requirePassword(password),
      ssl: tls,
      sslnegotiation: 'postgres',
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE.idleS * 1000,
    },
    // the time-out of a role could be too short for the statement that sets ours
    { user, database, application_name: applicationName, statement_timeout: '0' },
  )
  // promises say it; without a listener it would end the process
  client.on('error', () => {})
  return client
}

function requirePassword(password: string | null): string {
  if (password !== null) return password
  throw new AppError('DATABASE_ACCESS_DENIED', 'PostgreSQL asks for a password and the URL has none', {
    hint: 'write postgres://user:password@host/database, percent-encoded',
  })
}

function tooSlow(): AppError {
  return new AppError('TARGET_UNREACHABLE', 'the PostgreSQL server did not answer in time', {
    hint: 'check host, port and the network, or raise connect_timeout in the URL',
  })
}
