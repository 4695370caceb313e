import { isIPv6 } from 'node:net'
import { AppError } from '@holdfast/core'
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

const SHAPE = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/i
const DEFAULT_PORT = 5432
const LONGEST_NAME_BYTES = 63
/** What fits into an address of a Unix socket, its final NUL not counted. */
const LONGEST_SOCKET_BYTES = 107

/**
 * The connection that a `postgres://user:password@host:port/database?…` URL describes. Every part is percent-decoded
 * once and is then plain text. Throws INVALID_CONNECTION, which names the bad part and never repeats it.
 */
export function parsePostgresUrl(url: string): PostgresConnection {
  if (/[\p{Cc}\p{Z}]/u.test(url)) throw invalid('holds a space or a control character')
  // not the URL class: it would drop, re-encode and resolve what must arrive as it is
  const parts = SHAPE.exec(url)
  if (parts === null) throw invalid('is not of the form postgres://user:password@host:port/database')
  const [, userInfo, address = '', database = '', query = ''] = parts
  const { host: hostSetting, ...settings } = readSettings(query)
  const place = readAddress(address, hostSetting)
  return { ...place, ...readUser(userInfo), database: readDatabase(database), ...settings }
}

/** The URL without its password, in canonical form: what is the default is left out. */
export function displayPostgresUrl(connection: PostgresConnection): string {
  const { host, port, user, database } = connection
  const isSocket = host.startsWith('/')
  const address = isIPv6(host) ? `[${encodeURIComponent(host).replaceAll('%3A', ':')}]` : host
  const path = database === null ? '' : `/${encodeURIComponent(database)}`
  const query = formatSettings({ ...connection, host: isSocket ? host : null })
  return `postgres://${encodeURIComponent(user)}@${isSocket ? '' : address}:${port}${path}${query}`
}

/** One key for all spellings of one place; the database is empty for a server. */
export function postgresLockKey(connection: PostgresConnection): string {
  const { host, port, database } = connection
  return `postgres:${placeOf(host)}:${port}/${encodeURIComponent(database ?? '')}`
}

/** The same URL with another database in it. Throws INVALID_CONNECTION for what is no name of a database. */
export function withDatabase(url: string, database: string): string {
  parsePostgresUrl(url)
  const name = encodeURIComponent(requireDatabaseName(database))
  return url.replace(/^([^/]*:\/\/[^/?]*)(?:\/[^?]*)?/, (_, server: string) => `${server}/${name}`)
}

/** The name, if a database of PostgreSQL can have it; longer ones would be cut by the server without a word. */
export function requireDatabaseName(name: string): string {
  return requireName(name, 'the name of the database')
}

function readUser(userInfo = ''): { readonly user: string; readonly password: string | null } {
  const colon = userInfo.indexOf(':')
  const user = decodePart(colon < 0 ? userInfo : userInfo.slice(0, colon), 'user')
  if (user === '') {
    throw new AppError('INVALID_CONNECTION', 'the PostgreSQL URL names no user', {
      hint: "write postgres://user:password@host/database; '@', ':', '/', '?', '#' and '%' must be percent-encoded",
    })
  }
  const password = colon < 0 ? null : decodePart(userInfo.slice(colon + 1), 'password')
  return { user: requireName(user, 'the user'), password: password === '' ? null : password }
}

function readDatabase(encoded: string): string | null {
  return encoded === '' ? null : requireDatabaseName(decodePart(encoded, 'database'))
}

function readAddress(address: string, setting: string | null): { host: string; port: number } {
  const [, written = '', portText] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(address) ?? []
  if (isIPv6(address)) throw invalid('has an IPv6 address without brackets')
  if (written !== '' && setting !== null) throw invalid('names a host twice')
  if (written === '' && setting === null) throw invalid('names no host')
  const host = requireHost(setting ?? decodePart(written, 'host'))
  const port = portText === undefined || portText === '' ? DEFAULT_PORT : readPort(portText)
  if (host.startsWith('/') && Buffer.byteLength(`${host}/.s.PGSQL.${port}`) > LONGEST_SOCKET_BYTES) {
    throw invalid('names a socket directory whose path is too long')
  }
  return { host, port }
}

function requireHost(host: string): string {
  // the tools would take a comma for a list of hosts
  if (host.includes(',')) throw invalid('names several hosts, or a host with a comma')
  if (host.startsWith('/')) return host.length > 1 ? host.replace(/\/+$/, '') : host
  const inBrackets = /^\[(.*)\]$/.exec(host)?.[1] ?? host
  if (isIPv6(inBrackets)) return inBrackets
  if (!/^[a-z0-9_.-]{1,253}$/i.test(host)) throw invalid('has a bad host')
  return host
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw invalid('has a bad port')
  return port
}

function decodePart(encoded: string, part: string): string {
  try {
    const text = decodeURIComponent(encoded)
    if (text.includes('\0')) throw invalid(`holds a NUL in its ${part}`)
    return text
  } catch (error) {
    if (error instanceof AppError) throw error
    // without the cause: it would quote the text
    throw invalid(`holds a percent sign in its ${part} that does not encode UTF-8`)
  }
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

function placeOf(host: string): string {
  if (host.startsWith('/')) return host
  const name = host.toLowerCase()
  return name === '127.0.0.1' || name === '::1' ? 'localhost' : name
}

function invalid(problem: string): AppError {
  return new AppError('INVALID_CONNECTION', `the PostgreSQL URL ${problem}`, {
    hint: 'use postgres://user:password@host:port/database, with special characters percent-encoded',
  })
}
