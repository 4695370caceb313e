import { AppError, cancellation } from '@holdfast/core'
import { DatabaseError } from 'pg'
import { toFailureOf } from './failure.ts'
import { PinnedClient } from './pinned-client.ts'
import type { PostgresConnection } from './postgres-url.ts'
import type { TlsOptions } from './tls-options.ts'
import { tlsAttempts } from './tls-options.ts'

const KEEPALIVE_AFTER_MS = 10_000
/** What the client library says when the server answers that it has no TLS. */
const NO_TLS = /does not support SSL/

/** Where and as whom to connect. */
interface Wanted {
  readonly database: string
  readonly applicationName: string
  readonly signal: AbortSignal
}

/** A connected client; TLS as libpq would do it for the same `sslmode`. Rejects with an {@link AppError}. */
export async function connectClient(connection: PostgresConnection, wanted: Wanted): Promise<PinnedClient> {
  const attempts = await tlsAttempts(connection)
  let refusal: unknown
  for (const tls of attempts) {
    try {
      return await attempt(connection, wanted, tls)
    } catch (error) {
      refusal = error
      if (wanted.signal.aborted || !mayTryOther(error, tls)) break
    }
  }
  if (wanted.signal.aborted) throw cancellation(wanted.signal)
  throw describe(refusal)
}

async function attempt(
  connection: PostgresConnection,
  { database, applicationName, signal }: Wanted,
  tls: TlsOptions | false,
): Promise<PinnedClient> {
  const { host, port, user, password } = connection
  const client = new PinnedClient(
    {
      ...{ host, port, user, database },
      // a function, and never an empty text: the library would look for one in our environment and in ~/.pgpass
      password: () => requirePassword(password),
      ssl: tls,
      sslnegotiation: 'postgres',
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    },
    { user, database, application_name: applicationName },
  )
  client.on('error', () => {}) // the promise says it
  const destroy = () => client.connection.stream.destroy()
  const timedOut = AbortSignal.timeout(connection.connectTimeoutMs)
  const stop = AbortSignal.any([signal, timedOut])
  stop.addEventListener('abort', destroy, { once: true })
  try {
    await connected(client, stop)
    return client
  } catch (error) {
    destroy()
    if (signal.aborted) throw cancellation(signal)
    if (timedOut.aborted)
      throw new AppError('TARGET_UNREACHABLE', 'the PostgreSQL server did not answer in time')
    throw error
  } finally {
    stop.removeEventListener('abort', destroy)
  }
}

/** Does not wait for the library to notice that its stream is gone. */
async function connected(client: PinnedClient, stop: AbortSignal): Promise<void> {
  const stopped = Promise.withResolvers<never>()
  const onStop = () => stopped.reject(stop.reason)
  stop.addEventListener('abort', onStop, { once: true })
  if (stop.aborted) onStop()
  try {
    await Promise.race([client.connect(), stopped.promise])
  } finally {
    stop.removeEventListener('abort', onStop)
  }
}

function requirePassword(password: string | null): string {
  if (password !== null) return password
  throw new AppError('DATABASE_ACCESS_DENIED', 'PostgreSQL asks for a password and the URL has none', {
    hint: 'write postgres://user:password@host/database, percent-encoded',
  })
}

/** As libpq: over TLS and without are tried in turn when the first is not to be had or not let in. */
function mayTryOther(error: unknown, tls: TlsOptions | false): boolean {
  if (error instanceof DatabaseError) return error.code?.startsWith('28') ?? false
  return tls !== false && (isTlsFailure(error) || (error instanceof Error && NO_TLS.test(error.message)))
}

function isTlsFailure(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(ERR_SSL|ERR_TLS|CERT|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/.test(
    code,
  )
}

function describe(error: unknown): unknown {
  if (error instanceof Error && NO_TLS.test(error.message)) {
    return new AppError('TARGET_UNREACHABLE', 'the PostgreSQL server offers no TLS and sslmode demands it', {
      retryable: false,
      cause: error,
    })
  }
  if (!isTlsFailure(error)) return toFailureOf(error)
  return new AppError(
    'TARGET_UNREACHABLE',
    'the TLS certificates of the PostgreSQL server and of the URL do not agree',
    {
      hint: 'check sslrootcert, sslcert, sslkey, and the host name in the certificate of the server',
      retryable: false,
      cause: error,
    },
  )
}
