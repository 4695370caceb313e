import type { TlsSettings } from '../client-server/tls-settings.ts'
import { readTlsSettings, TLS_PARAMETERS, tlsPairs } from '../client-server/tls-settings.ts'
import { formatParameters, UrlParameters } from '../client-server/url-parameters.ts'

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof SSL_MODES)[number]

/** What the query of a URL may say. */
export interface UrlSettings extends TlsSettings<SslMode> {
  readonly host: string | null
  readonly connectTimeoutMs: number
  /** How long a statement waits for a lock. */
  readonly lockTimeoutMs: number
  /** How long a statement may run; 0: as long as it takes. */
  readonly statementTimeoutMs: number
}

const NAMES = ['host', ...TLS_PARAMETERS, 'connect_timeout', 'lock_timeout', 'statement_timeout'] as const

const DEFAULT_CONNECT_SECONDS = 10
const DEFAULT_LOCK_MS = 30_000

/** Reads the part of a URL behind its question mark. Throws INVALID_CONNECTION naming the parameter. */
export function readSettings(query: string): UrlSettings {
  const given = new UrlParameters(query, NAMES, 'PostgreSQL')
  return {
    host: given.text('host'),
    ...readTlsSettings(given, SSL_MODES, 'prefer'),
    connectTimeoutMs: given.number('connect_timeout', DEFAULT_CONNECT_SECONDS, [1, 600]) * 1000,
    lockTimeoutMs: given.number('lock_timeout', DEFAULT_LOCK_MS, [1, 86_400_000]),
    statementTimeoutMs: given.number('statement_timeout', 0, [0, 2_147_483_647]),
  }
}

/** The inverse of {@link readSettings}, with its question mark if there is anything to say. */
export function formatSettings(settings: UrlSettings): string {
  const { host, connectTimeoutMs, lockTimeoutMs, statementTimeoutMs } = settings
  const connectSeconds = connectTimeoutMs / 1000
  return formatParameters([
    ['host', host],
    ...tlsPairs(settings, 'prefer'),
    ['connect_timeout', connectSeconds === DEFAULT_CONNECT_SECONDS ? null : connectSeconds],
    ['lock_timeout', lockTimeoutMs === DEFAULT_LOCK_MS ? null : lockTimeoutMs],
    ['statement_timeout', statementTimeoutMs === 0 ? null : statementTimeoutMs],
  ])
}
