import { AppError } from '@holdfast/core'

/** What the client library says when the server answers that it has no TLS. */
const NO_TLS = /does not support SSL/
const OF_TLS = /^(ERR_SSL|ERR_TLS|CERT|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/

interface Meaning {
  readonly pattern: RegExp
  readonly message: string
  readonly hint: string
}

const MEANINGS: readonly Meaning[] = [
  {
    pattern: /^ERR_TLS_CERT_ALTNAME_INVALID|^HOSTNAME_MISMATCH/,
    message: "the certificate of the PostgreSQL server is not for the URL's host",
    hint: 'use the name that is in the certificate, or sslmode=verify-ca',
  },
  {
    pattern: /^CERT_HAS_EXPIRED|^CERT_NOT_YET_VALID/,
    message: 'the certificate of the PostgreSQL server is not valid at this time',
    hint: 'renew it, and check the clocks',
  },
  {
    pattern: /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|CERT)/,
    message: 'the certificate of the PostgreSQL server is not signed by the authority in sslrootcert',
    hint: 'name the file of the authority that signed it',
  },
]

/** True if the server said that it offers no TLS. */
export function offersNoTls(error: unknown): boolean {
  return error instanceof Error && NO_TLS.test(error.message)
}

/** True if no TLS came about, because of certificates or versions. */
export function isTlsFailure(error: unknown): boolean {
  return OF_TLS.test(codeOf(error))
}

/** What waiting cannot heal about TLS, or null if the error is about something else. */
export function tlsFailure(error: unknown): AppError | null {
  const code = codeOf(error)
  if (offersNoTls(error)) {
    return refused('the PostgreSQL server offers no TLS', 'the URL demands it by sslmode', error)
  }
  if (code.startsWith('ERR_OSSL')) {
    return new AppError(
      'INVALID_CONNECTION',
      'a certificate or key that the PostgreSQL URL names is no usable PEM file',
      {
        hint: 'check the files of sslrootcert, sslcert and sslkey',
        cause: error,
      },
    )
  }
  if (!isTlsFailure(error)) return null
  const known = MEANINGS.find(({ pattern }) => pattern.test(code))
  if (known !== undefined) return refused(known.message, known.hint, error)
  return refused(
    'the PostgreSQL server and this client agree on no TLS',
    'check sslcert and sslkey, and the TLS versions that the server allows',
    error,
  )
}

function refused(message: string, hint: string, cause: unknown): AppError {
  return new AppError('TARGET_UNREACHABLE', message, { hint, retryable: false, cause })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
