import { isIPv6 } from 'node:net'
import { AppError } from '@holdfast/core'

/** What a kind of URL is called in messages, and how it is to be written. */
export interface UrlKind {
  /** `PostgreSQL` in `the PostgreSQL URL has a bad host`. */
  readonly product: string
  readonly hint: string
}

/** Before its first parameter: everything still encoded. */
export interface UrlPieces {
  readonly userInfo: string | null
  /** Host and port as they were written; empty if there are none. */
  readonly address: string
  readonly database: string
  readonly query: string
}

const SHAPE = /^[a-z]+:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/i

/** Takes a URL apart. Not the URL class: it would drop, re-encode and resolve what must arrive as it is. */
export function splitUrl(url: string, schemes: readonly string[], kind: UrlKind): UrlPieces {
  if (/[\p{Cc}\p{Z}]/u.test(url)) throw badUrl('holds a space or a control character', kind)
  const parts = SHAPE.exec(url)
  const scheme = /^[^:]*/.exec(url)?.[0].toLowerCase() ?? ''
  if (parts === null || !schemes.includes(scheme)) {
    throw badUrl(`is not of the form ${schemes[0]}://user:password@host:port/database`, kind)
  }
  const [, userInfo = null, address = '', database = '', query = ''] = parts
  return { userInfo, address, database, query }
}

/** Text of one part, percent-decoded once. Throws INVALID_CONNECTION without repeating it. */
export function decodePart(encoded: string, part: string, kind: UrlKind): string {
  const text = decoded(encoded)
  // without the cause: it would quote the text
  if (text === null) throw badUrl(`holds a percent sign in its ${part} that does not encode UTF-8`, kind)
  if (text.includes('\0')) throw badUrl(`holds a NUL in its ${part}`, kind)
  return text
}

/** User and password; the password is null if it is empty or not there, the user may be empty. */
export function readUserInfo(
  userInfo: string | null,
  kind: UrlKind,
): { readonly user: string; readonly password: string | null } {
  const text = userInfo ?? ''
  const colon = text.indexOf(':')
  const user = decodePart(colon < 0 ? text : text.slice(0, colon), 'user', kind)
  const password = colon < 0 ? '' : decodePart(text.slice(colon + 1), 'password', kind)
  return { user, password: password === '' ? null : password }
}

/** Host (empty if there is none, an IPv6 address without its brackets) and port (null if there is none). */
export function readAddress(
  address: string,
  kind: UrlKind,
): { readonly host: string; readonly port: number | null } {
  if (isIPv6(address)) throw badUrl('has an IPv6 address without brackets', kind)
  const [, written = '', portText = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(address) ?? []
  const host = decodePart(written, 'host', kind)
  return { host, port: portText === '' ? null : readPort(portText, kind) }
}

/** The name or address of a host, without brackets. Throws INVALID_CONNECTION for what is none. */
export function requireHost(host: string, kind: UrlKind): string {
  // tools would take a comma for a list of hosts
  if (host.includes(',')) throw badUrl('names several hosts, or a host with a comma', kind)
  const inBrackets = /^\[(.*)\]$/.exec(host)?.[1] ?? host
  if (isIPv6(inBrackets)) return inBrackets
  if (!/^[a-z0-9_.-]{1,253}$/i.test(host)) throw badUrl('has a bad host', kind)
  return host
}

/** A host as it stands in a URL. */
export function formatHost(host: string): string {
  return isIPv6(host) ? `[${encodeURIComponent(host).replaceAll('%3A', ':')}]` : host
}

/** One spelling for what is the same host: for keys of locks, not for connecting. */
export function placeOf(host: string): string {
  const name = host.toLowerCase()
  return name === '127.0.0.1' || name === '::1' ? 'localhost' : name
}

/** The same URL with another database in it, whose name is encoded here. */
export function replaceDatabase(url: string, database: string): string {
  const name = encodeURIComponent(database)
  return url.replace(/^([^/]*:\/\/[^/?]*)(?:\/[^?]*)?/, (_, server: string) => `${server}/${name}`)
}

/** INVALID_CONNECTION: `the … URL ` and the problem. */
export function badUrl(problem: string, { product, hint }: UrlKind): AppError {
  return new AppError('INVALID_CONNECTION', `the ${product} URL ${problem}`, { hint })
}

function readPort(text: string, kind: UrlKind): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw badUrl('has a bad port', kind)
  return port
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
