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
export interface MysqlConnection extends UrlSettings {
  /** A name, or an address without brackets; `localhost` if there is a socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | null
  /** Null names the server as a whole. */
  readonly database: string | null
}

const SCHEMES = ['mysql', 'mariadb'] as const
const DEFAULT_PORT = 3306
/** MariaDB's limit; MySQL has 32 and refuses by itself. */
const LONGEST_USER = 128
/** The client programs ask for no more, and read lines of limited length. */
const LONGEST_PASSWORD_BYTES = 1_024
const LONGEST_NAME = 64

const KIND: UrlKind = {
  product: 'MySQL',
  hint: 'use mysql://user:password@host:port/database, with special characters percent-encoded',
}

/**
 * The connection that a `mysql://user:password@host:port/database?…` URL describes; `mariadb://` is the same. Every
 * part is percent-decoded once and is then plain text. Throws INVALID_CONNECTION, which names the bad part and never
 * repeats it.
 */
export function parseMysqlUrl(url: string): MysqlConnection {
  const { userInfo, address, database, query } = splitUrl(url, SCHEMES, KIND)
  const settings = readSettings(query)
  return {
    ...readPlace(address, settings.socket),
    ...readUser(userInfo),
    database: database === '' ? null : requireDatabaseName(decodePart(database, 'database', KIND)),
    ...settings,
  }
}

/** The URL without its password, in canonical form: what is the default is left out. */
export function displayMysqlUrl(connection: MysqlConnection): string {
  const { host, port, socket, user, database } = connection
  const address = socket === null ? `${formatHost(host)}:${port}` : ''
  const path = database === null ? '' : `/${encodeURIComponent(database)}`
  const query = formatSettings(connection)
  return `mysql://${encodeURIComponent(user)}@${address}${path}${query}`
}

/** One key for all spellings of one place; the database is empty for a server. */
export function mysqlLockKey({ host, port, socket, database }: MysqlConnection): string {
  const place = socket ?? `${placeOf(host)}:${port}`
  return `mysql:${place}/${encodeURIComponent(database ?? '')}`
}

/** The same URL with another database in it. Throws INVALID_CONNECTION for what is no name of a database. */
export function withDatabase(serverUrl: string, database: string): string {
  parseMysqlUrl(serverUrl)
  return replaceDatabase(serverUrl, requireDatabaseName(database))
}

/** The name, if a schema of MySQL can have it. Throws INVALID_CONNECTION for any other. */
export function requireDatabaseName(name: string): string {
  const problem = problemOfName(name)
  if (problem === null) return name
  throw new AppError('INVALID_CONNECTION', `the name of the database ${problem}`, {
    hint: `MySQL's names have 1 to ${LONGEST_NAME} characters of Unicode's first plane and no space at their end`,
  })
}

function problemOfName(name: string): string | null {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'holds a NUL'
  if (!name.isWellFormed()) return 'is not Unicode'
  if (/[\u{10000}-\u{10FFFF}]/u.test(name)) return 'holds a character of four bytes'
  if (name.length > LONGEST_NAME) return `is longer than ${LONGEST_NAME} characters`
  if (name.endsWith(' ')) return 'ends with a space'
  // the server would take the rest for the name of a directory
  if (/^#mysql50#/i.test(name)) return 'begins with #mysql50#'
  return null
}

function readUser(userInfo: string | null): { readonly user: string; readonly password: string | null } {
  const { user, password } = readUserInfo(userInfo, KIND)
  if (user === '') {
    throw new AppError('INVALID_CONNECTION', 'the MySQL URL names no user', {
      hint: "write mysql://user:password@host/database; '@', ':', '/', '?', '#' and '%' must be percent-encoded",
    })
  }
  if (user.length > LONGEST_USER) throw badUrl('has a user of too many characters', KIND)
  // an option file keeps a text in one line, and some characters have no escape there
  if (/\p{Cc}/u.test(user)) throw badUrl('holds a control character in its user', KIND)
  if (/[\n\r]/.test(password ?? '')) throw badUrl('holds a line break in its password', KIND)
  if (Buffer.byteLength(password ?? '') > LONGEST_PASSWORD_BYTES) {
    throw badUrl(`has a password of more than ${LONGEST_PASSWORD_BYTES} bytes`, KIND)
  }
  return { user, password }
}

function readPlace(address: string, socket: string | null): { readonly host: string; readonly port: number } {
  const { host, port } = readAddress(address, KIND)
  if (socket !== null) {
    // as the programs have it: a socket belongs to this machine
    if (host !== '' && placeOf(host) !== 'localhost') throw badUrl('names a host and a socket', KIND)
    return { host: 'localhost', port: port ?? DEFAULT_PORT }
  }
  if (host === '') throw badUrl('names no host', KIND)
  return { host: requireHost(host, KIND), port: port ?? DEFAULT_PORT }
}
