import type { Socket } from 'node:net'
import { connect as connectSocket } from 'node:net'
import { AppError, cancellation, throwIfAborted } from '@holdfast/core'
import type { Connection } from 'mysql2'
import { createConnection } from 'mysql2'
import { KEEPALIVE } from '../client-server/keepalive.ts'
import { toFailureOf } from './failure.ts'
import type { MysqlConnection } from './mysql-url.ts'
import type { Tls } from './tls-attempts.ts'
import { tlsAttempts } from './tls-attempts.ts'
import { offersNoTls, tlsFailure } from './tls-failure.ts'

/** Which schema to open, until when. */
export interface Wanted {
  /** Null for none. */
  readonly schema: string | null
  readonly signal: AbortSignal
}

/** A client that the server has let in. Whoever has it must listen for its errors. */
export interface ConnectedClient {
  readonly client: Connection
  /** Below it; destroying this ends the client at once. */
  readonly socket: Socket
  readonly encrypted: boolean
}

/** Connects, over TLS as `sslmode` has it, and prepares the client. Rejects with an {@link AppError}. */
export async function connectClient<Prepared>(
  connection: MysqlConnection,
  wanted: Wanted,
  prepare: (client: Connection) => Promise<Prepared>,
): Promise<ConnectedClient & { readonly prepared: Prepared }> {
  let refusal: unknown
  for (const tls of await tlsAttempts(connection)) {
    throwIfAborted(wanted.signal)
    try {
      return await attempt(connection, wanted, tls, prepare)
    } catch (error) {
      refusal = error
      if (!offersNoTls(error)) break
    }
  }
  throw tlsFailure(refusal) ?? toFailureOf(refusal)
}

async function attempt<Prepared>(
  connection: MysqlConnection,
  wanted: Wanted,
  tls: Tls,
  prepare: (client: Connection) => Promise<Prepared>,
): Promise<ConnectedClient & { readonly prepared: Prepared }> {
  const socket = openSocket(connection)
  const stopped = Promise.withResolvers<never>()
  const stop = (reason: AppError) => {
    stopped.reject(reason)
    socket.destroy()
  }
  const onAbort = () => stop(cancellation(wanted.signal))
  wanted.signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => stop(tooSlow()), connection.connectTimeoutMs)
  try {
    const client = clientOf(connection, wanted, tls, socket)
    await Promise.race([handshake(client), stopped.promise])
    const prepared = await Promise.race([prepare(client), stopped.promise])
    return { client, socket, encrypted: tls !== null, prepared }
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    wanted.signal.removeEventListener('abort', onAbort)
  }
}

/** Our own: the library would check a certificate against `localhost` where the host is an address. */
function openSocket({ host, port, socket: path }: MysqlConnection): Socket {
  if (path !== null) return connectSocket({ path })
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEPALIVE.idleS * 1000 }
  const socket = connectSocket({ host, port, noDelay: true, ...keepAlive })
  // where node:tls looks for the name that the certificate is to have
  return Object.assign(socket, { _host: host })
}

function clientOf(connection: MysqlConnection, { schema }: Wanted, tls: Tls, stream: Socket): Connection {
  const { host, port, socket, user, password } = connection
  const client = createConnection({
    ...{ host, port, user, stream },
    ...(socket === null ? {} : { socketPath: socket }),
    ...(password === null ? {} : { password }),
    ...(schema === null ? {} : { database: schema }),
    ...(tls === null ? {} : { ssl: tls }),
    // ours counts from the beginning to the end of it
    connectTimeout: 0,
    charset: 'utf8mb4_general_ci',
    // no server may ask for files of ours
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
    connectAttributes: { program_name: 'holdfast' },
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    jsonStrings: true,
    // values are read by a fixed function, not by one that is compiled from the names of columns
    disableEval: true,
    typeCast: (field, next) => (BYTES.includes(field.type) ? field.buffer() : next()),
  })
  // promises say it; without a listener it would end the process
  client.on('error', () => {})
  return client
}

/** What the library would take apart. */
const BYTES: readonly string[] = ['GEOMETRY', 'BIT', 'VECTOR']

function handshake(client: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    client.connect((error) => (error === null ? resolve() : reject(error)))
  })
}

function tooSlow(): AppError {
  return new AppError('TARGET_UNREACHABLE', 'the MySQL server did not answer in time', {
    hint: 'check host, port and the network, or raise connect_timeout in the URL',
  })
}
