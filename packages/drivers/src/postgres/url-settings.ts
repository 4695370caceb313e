import { isAbsolute } from 'node:path'
import { AppError } from '@holdfast/core'

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof SSL_MODES)[number]

/** What the query of a URL may say. */
export interface UrlSettings {
  readonly host: string | null
  readonly sslMode: SslMode
  /** Absolute paths of PEM files. */
  readonly sslRootCert?: string
  readonly sslCert?: string
  readonly sslKey?: string
  readonly connectTimeoutMs: number
  /** How long a statement waits for a lock. */
  readonly lockTimeoutMs: number
  /** How long a statement may run; 0: as long as it takes. */
  readonly statementTimeoutMs: number
}

const NAMES = [
  'host',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'lock_timeout',
  'statement_timeout',
] as const
type Name = (typeof NAMES)[number]

const DEFAULT_CONNECT_SECONDS = 10
const DEFAULT_LOCK_MS = 30_000

/** Reads the part of a URL behind its question mark. Throws INVALID_CONNECTION naming the parameter. */
export function readSettings(query: string): UrlSettings {
  const given = readPairs(query)
  const sslMode = readSslMode(given.get('sslmode'))
  const rootCert = fileOf(given, 'sslrootcert')
  const cert = fileOf(given, 'sslcert')
  const key = fileOf(given, 'sslkey')
  if ((cert === null) !== (key === null)) throw invalid('sslcert', 'needs sslkey, and the other way round')
  if (sslMode.startsWith('verify') && rootCert === null) {
    throw invalid('sslmode', `is ${sslMode} but there is no sslrootcert`)
  }
  return {
    host: given.get('host') ?? null,
    sslMode,
    ...(rootCert === null ? {} : { sslRootCert: rootCert }),
    ...(cert === null || key === null ? {} : { sslCert: cert, sslKey: key }),
    connectTimeoutMs: numberOf(given, 'connect_timeout', DEFAULT_CONNECT_SECONDS, [1, 600]) * 1000,
    lockTimeoutMs: numberOf(given, 'lock_timeout', DEFAULT_LOCK_MS, [1, 86_400_000]),
    statementTimeoutMs: numberOf(given, 'statement_timeout', 0, [0, 2_147_483_647]),
  }
}

/** The inverse of {@link readSettings}, with its question mark if there is anything to say. */
export function formatSettings(settings: UrlSettings): string {
  const defaults = readSettings('')
  const pairs = ENTRIES.flatMap(([name, read]) => {
    const value = read(settings)
    const isDefault = value === undefined || value === read(defaults)
    return isDefault ? [] : [`${name}=${encodeURIComponent(value ?? '')}`]
  })
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

const ENTRIES: readonly (readonly [Name, (settings: UrlSettings) => string | number | null | undefined])[] = [
  ['host', ({ host }) => host],
  ['sslmode', ({ sslMode }) => sslMode],
  ['sslrootcert', ({ sslRootCert }) => sslRootCert],
  ['sslcert', ({ sslCert }) => sslCert],
  ['sslkey', ({ sslKey }) => sslKey],
  ['connect_timeout', ({ connectTimeoutMs }) => connectTimeoutMs / 1000],
  ['lock_timeout', ({ lockTimeoutMs }) => lockTimeoutMs],
  ['statement_timeout', ({ statementTimeoutMs }) => statementTimeoutMs],
]

function readPairs(query: string): ReadonlyMap<Name, string> {
  const pairs = new Map<Name, string>()
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const equals = pair.indexOf('=')
    const asked = equals < 0 ? pair : pair.slice(0, equals)
    const name = NAMES.find((known) => known === asked)
    if (name === undefined) throw unknownParameter(asked)
    if (pairs.has(name)) throw invalid(name, 'is given twice')
    const value = equals < 0 ? '' : decodeValue(pair.slice(equals + 1), name)
    if (value === '') throw invalid(name, 'is empty')
    pairs.set(name, value)
  }
  return pairs
}

function decodeValue(encoded: string, name: Name): string {
  const value = decoded(encoded)
  if (value === null) throw invalid(name, 'holds a percent sign that does not encode UTF-8')
  if (value.includes('\0')) throw invalid(name, 'holds a NUL')
  return value
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

function readSslMode(text = 'prefer'): SslMode {
  const mode = SSL_MODES.find((known) => known === text)
  if (mode === undefined) throw invalid('sslmode', `is none of ${SSL_MODES.join(', ')}`)
  return mode
}

function fileOf(given: ReadonlyMap<Name, string>, name: Name): string | null {
  const path = given.get(name) ?? null
  if (path !== null && !isAbsolute(path)) throw invalid(name, 'is not an absolute path')
  return path
}

function numberOf(
  given: ReadonlyMap<Name, string>,
  name: Name,
  fallback: number,
  [least, most]: readonly [number, number],
): number {
  const text = given.get(name)
  if (text === undefined) return fallback
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw invalid(name, `is not a whole number from ${least} to ${most}`)
}

function unknownParameter(name: string): AppError {
  // what does not look like a name could be a piece of a password with a '?' in it
  const shown = /^[a-z_]{1,40}$/.test(name) ? ` ${name}` : ''
  return new AppError('INVALID_CONNECTION', `the PostgreSQL URL has an unknown parameter${shown}`, {
    hint: `known parameters: ${NAMES.join(', ')}`,
  })
}

function invalid(name: Name, problem: string): AppError {
  const hint =
    name === 'sslrootcert' || problem.includes('sslrootcert')
      ? 'name the file of the certificate authority; the system has its own in a file such as /etc/ssl/certs/ca-certificates.crt'
      : `known parameters: ${NAMES.join(', ')}`
  return new AppError('INVALID_CONNECTION', `the parameter ${name} of the PostgreSQL URL ${problem}`, {
    hint,
  })
}
