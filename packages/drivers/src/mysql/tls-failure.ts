import { AppError } from '@holdfast/core'

interface Meaning {
  readonly pattern: RegExp
  readonly message: string
  readonly hint: string
}

/** By what OpenSSL and Node.js say: of these errors the client library keeps the message only. */
const MEANINGS: readonly Meaning[] = [
  {
    pattern: /does not match certificate's altnames/,
    message: "the certificate of the MySQL server is not for the URL's host",
    hint: 'use the name that is in the certificate, or sslmode=verify-ca',
  },
  {
    pattern: /certificate has expired|certificate is not yet valid/,
    message: 'the certificate of the MySQL server is not valid at this time',
    hint: 'renew it, and check the clocks',
  },
  {
    pattern:
      /unable to (?:verify|get)|self[- ]signed certificate|invalid CA certificate|unsuitable certificate/,
    message: 'the certificate of the MySQL server is not signed by the authority in sslrootcert',
    hint: 'name the file of the authority that signed it',
  },
]

/** True if the server said that it offers no TLS. */
export function offersNoTls(error: unknown): boolean {
  return codeOf(error) === 'HANDSHAKE_NO_SSL_SUPPORT'
}

/** What waiting cannot heal about TLS, or null if the error is about something else. */
export function tlsFailure(error: unknown): AppError | null {
  if (offersNoTls(error)) {
    return refused('the MySQL server offers no TLS', 'the URL demands it by sslmode', error)
  }
  const code = codeOf(error)
  if (code.startsWith('ERR_OSSL')) {
    return new AppError(
      'INVALID_CONNECTION',
      'a certificate or key that the MySQL URL names is no usable PEM file',
      {
        hint: 'check the files of sslrootcert, sslcert and sslkey',
        cause: error,
      },
    )
  }
  if (code !== 'HANDSHAKE_SSL_ERROR' || !(error instanceof Error)) return null
  const known = MEANINGS.find(({ pattern }) => pattern.test(error.message))
  if (known !== undefined) return refused(known.message, known.hint, error)
  return refused(
    'the MySQL server and this client agree on no TLS',
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
