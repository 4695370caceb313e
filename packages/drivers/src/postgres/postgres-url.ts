import { AppError } from '@holdfast/core'
import type { UrlKind } from '../client-server/url-parts.ts'
import {
  badUrl,
  decodePart,
  formatHost,
  placeOf,
  readAddress,
  readUserInfo,
  replaceDatabase,
  requireHost,
  splitUrl,
} from '../client-server/url-parts.ts'
import type { UrlSettings } from './url-settings.ts'
import { formatSettings, readSettings } from './url-settings.ts'

/** Where a database (or a server) is and how to talk to it. Holds a secret: never to be logged. */
export interface PostgresConnection extends Omit<UrlSettings, 'host'> {
  /** A name, an address without brackets, or the absolute directory of a socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | null
  /** Null names the server as a whole. */
  readonly database: string | null
}

const SCHEMES = ['postgres', 'postgresql'] as const
const KIND: UrlKind = {
  product: 'PostgreSQL',
  hint: 'use postgres://user:password@host:port/database, with special characters percent-encoded',
}
const DEFAULT_PORT = 5432
const LONGEST_NAME_BYTES = 63
/** What fits into an address of a Unix socket, its final NUL not counted. */
const LONGEST_SOCKET_BYTES = 107

/**
 * The connection that a `postgres://user:password@host:port/database?…` URL describes. Every part is percent-decoded
 * once and is then plain text. Throws INVALID_CONNECTION, which names the bad part and never repeats it.
 */
export function parsePostgresUrl(url: string): PostgresConnection {
  const { userInfo, address, database, query } = splitUrl(url, SCHEMES, KIND)
  const { host, ...settings } = readSettings(query)
  return { ...readPlace(address, host), ...readUser(userInfo), database: readDatabase(database), ...settings }
}

/** The URL without its password, in canonical form: what is the default is left out. */
export function displayPostgresUrl(connection: PostgresConnection): string {
  const { host, port, user, database } = connection
  const isSocket = host.startsWith('/')
  const path = database === null ? '' : `/${encodeURIComponent(database)}`
  const query = formatSettings({ ...connection, host: isSocket ? host : null })
  return `postgres://${encodeURIComponent(user)}@${isSocket ? '' : formatHost(host)}:${port}${path}${query}`
}

/** One key for all spellings of one place; the database is empty for a server. */
export function postgresLockKey(connection: PostgresConnection): string {
  const { host, port, database } = connection
  const place = host.startsWith('/') ? host : placeOf(host)
  return `postgres:${place}:${port}/${encodeURIComponent(database ?? '')}`
}

/** The same URL with another database in it. Throws INVALID_CONNECTION for what is no name of a database. */
export function withDatabase(url: string, database: string): string {
  parsePostgresUrl(url)
  return replaceDatabase(url, requireDatabaseName(database))
}

/** The name, if a database of PostgreSQL can have it; longer ones would be cut by the server without a word. */
export function requireDatabaseName(name: string): string {
  return requireName(name, 'the name of the database')
}

function readUser(userInfo: string | null): { readonly user: string; readonly password: string | null } {
  const { user, password } = readUserInfo(userInfo, KIND)
  if (user === '') {
    throw new AppError('INVALID_CONNECTION', 'the PostgreSQL URL names no user', {
      hint: "write postgres://user:password@host/database; '@', ':', '/', '?', '#' and '%' must be percent-encoded",
    })
  }
  return { user: requireName(user, 'the user'), password }
}

function readDatabase(encoded: string): string | null {
  return encoded === '' ? null : requireDatabaseName(decodePart(encoded, 'database', KIND))
}

function readPlace(address: string, setting: string | null): { host: string; port: number } {
  const { host: written, port: writtenPort } = readAddress(address, KIND)
  if (written !== '' && setting !== null) throw badUrl('names a host twice', KIND)
  if (written === '' && setting === null) throw badUrl('names no host', KIND)
  const host = requireHostOrSocket(setting ?? written)
  const port = writtenPort ?? DEFAULT_PORT
  if (host.startsWith('/') && Buffer.byteLength(`${host}/.s.PGSQL.${port}`) > LONGEST_SOCKET_BYTES) {
    throw badUrl('names a socket directory whose path is too long', KIND)
  }
  return { host, port }
}

function requireHostOrSocket(host: string): string {
  if (!host.startsWith('/') || host.includes(',')) return requireHost(host, KIND)
  return host.length > 1 ? host.replace(/\/+$/, '') : host
}

function requireName(name: string, what: string): string {
  const problem =
    name === ''
      ? 'is empty'
      : name.includes('\0')
        ? 'holds a NUL'
        : Buffer.byteLength(name) > LONGEST_NAME_BYTES
          ? `is longer than ${LONGEST_NAME_BYTES} bytes`
          : !name.isWellFormed()
            ? 'is not Unicode'
            : null
  if (problem === null) return name
  throw new AppError('INVALID_CONNECTION', `${what} ${problem}`, {
    hint: `PostgreSQL's names have 1 to ${LONGEST_NAME_BYTES} bytes without NUL`,
  })
}
