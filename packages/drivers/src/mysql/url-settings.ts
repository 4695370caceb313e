import type { TlsSettings } from '../client-server/tls-settings.ts'
import { readTlsSettings, TLS_PARAMETERS, tlsPairs } from '../client-server/tls-settings.ts'
import { formatParameters, UrlParameters } from '../client-server/url-parameters.ts'

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof SSL_MODES)[number]

/** What the query of a URL may say. */
export interface UrlSettings extends TlsSettings<SslMode> {
  /** Absolute path of a Unix socket, used instead of host and port. */
  readonly socket: string | null
  readonly connectTimeoutMs: number
  /** How long a statement waits for a lock. */
  readonly lockTimeoutMs: number
  /** Whether a backup may stop all commits of the server for a moment, so that its counts are exact. */
  readonly briefLock: boolean
}

const NAMES = ['socket', ...TLS_PARAMETERS, 'connect_timeout', 'lock_timeout', 'brief_lock'] as const

const DEFAULT_CONNECT_SECONDS = 10
const DEFAULT_LOCK_MS = 30_000
/** What fits into an address of a Unix socket, its final NUL not counted. */
const LONGEST_SOCKET_BYTES = 107

/** Reads the part of a URL behind its question mark. Throws INVALID_CONNECTION naming the parameter. */
export function readSettings(query: string): UrlSettings {
  const given = new UrlParameters(query, NAMES, 'MySQL')
  const socket = given.path('socket')
  if (socket !== null && Buffer.byteLength(socket) > LONGEST_SOCKET_BYTES) {
    throw given.invalid('socket', `is longer than ${LONGEST_SOCKET_BYTES} bytes`)
  }
  return {
    socket,
    ...readTlsSettings(given, SSL_MODES, 'prefer'),
    connectTimeoutMs: given.number('connect_timeout', DEFAULT_CONNECT_SECONDS, [1, 600]) * 1000,
    lockTimeoutMs: given.number('lock_timeout', DEFAULT_LOCK_MS, [1, 86_400_000]),
    briefLock: given.choice('brief_lock', ['on', 'off'], 'off') === 'on',
  }
}

/** The inverse of {@link readSettings}, with its question mark if there is anything to say. */
export function formatSettings(settings: UrlSettings): string {
  const { socket, connectTimeoutMs, lockTimeoutMs, briefLock } = settings
  const connectSeconds = connectTimeoutMs / 1000
  return formatParameters([
    ['socket', socket],
    ...tlsPairs(settings, 'prefer'),
    ['connect_timeout', connectSeconds === DEFAULT_CONNECT_SECONDS ? null : connectSeconds],
    ['lock_timeout', lockTimeoutMs === DEFAULT_LOCK_MS ? null : lockTimeoutMs],
    ['brief_lock', briefLock ? 'on' : null],
  ])
}
