import type { AppError } from '@holdfast/core'
import { codeOf, tlsFailureOf } from '../client-server/tls-failure.ts'

/** What OpenSSL and Node.js say: of these errors the client library keeps the message only. */
const PATTERNS = {
  otherHost: /does not match certificate's altnames/,
  otherTime: /certificate has expired|certificate is not yet valid/,
  otherAuthority:
    /unable to (?:verify|get)|self[- ]signed certificate|invalid CA certificate|unsuitable certificate/,
}

/** True if the server said that it offers no TLS. */
export function offersNoTls(error: unknown): boolean {
  return codeOf(error) === 'HANDSHAKE_NO_SSL_SUPPORT'
}

/** What waiting cannot heal about TLS, or null if the error is about something else. */
export function tlsFailure(error: unknown): AppError | null {
  return tlsFailureOf(error, {
    server: 'MySQL',
    isNotOffered: offersNoTls(error),
    isRefused: codeOf(error) === 'HANDSHAKE_SSL_ERROR',
    text: error instanceof Error ? error.message : '',
    patterns: PATTERNS,
  })
}
