import type { UrlParameters } from './url-parameters.ts'

/** How a connection is encrypted, and whose certificates count. */
export interface TlsSettings<Mode extends string> {
  readonly sslMode: Mode
  /** Absolute paths of PEM files. */
  readonly sslRootCert?: string
  readonly sslCert?: string
  readonly sslKey?: string
}

/** What the parameters of TLS are called in every URL. */
export const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const
type TlsParameter = (typeof TLS_PARAMETERS)[number]

/** Throws INVALID_CONNECTION naming the parameter. */
export function readTlsSettings<Mode extends string>(
  given: Pick<UrlParameters<TlsParameter>, 'choice' | 'path' | 'invalid'>,
  modes: readonly Mode[],
  fallback: Mode,
): TlsSettings<Mode> {
  const sslMode = given.choice('sslmode', modes, fallback)
  const [rootCert, cert, key] = [given.path('sslrootcert'), given.path('sslcert'), given.path('sslkey')]
  if ((cert === null) !== (key === null))
    throw given.invalid('sslcert', 'needs sslkey, and the other way round')
  if (sslMode.startsWith('verify') && rootCert === null) {
    throw given.invalid('sslmode', `is ${sslMode} but there is no sslrootcert`)
  }
  return {
    sslMode,
    ...(rootCert === null ? {} : { sslRootCert: rootCert }),
    ...(cert === null || key === null ? {} : { sslCert: cert, sslKey: key }),
  }
}

/** The parameters that say the same; the mode is left out where it is the default. */
export function tlsPairs<Mode extends string>(
  settings: TlsSettings<Mode>,
  fallback: Mode,
): readonly (readonly [TlsParameter, string | null])[] {
  return [
    ['sslmode', settings.sslMode === fallback ? null : settings.sslMode],
    ['sslrootcert', settings.sslRootCert ?? null],
    ['sslcert', settings.sslCert ?? null],
    ['sslkey', settings.sslKey ?? null],
  ]
}
