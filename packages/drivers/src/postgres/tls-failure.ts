import type { AppError } from '@holdfast/core'
import { codeOf, tlsFailureOf } from '../client-server/tls-failure.ts'

/** What the client library says when the server answers that it has no TLS. */
const NO_TLS = /does not support SSL/
const OF_TLS = /^(ERR_SSL|ERR_TLS|CERT|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/

/** By the codes of Node.js. */
const PATTERNS = {
  otherHost: /^ERR_TLS_CERT_ALTNAME_INVALID|^HOSTNAME_MISMATCH/,
  otherTime: /^CERT_HAS_EXPIRED|^CERT_NOT_YET_VALID/,
  otherAuthority: /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|CERT)/,
}

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
  return tlsFailureOf(error, {
    server: 'PostgreSQL',
    isNotOffered: offersNoTls(error),
    isRefused: isTlsFailure(error),
    text: codeOf(error),
    patterns: PATTERNS,
  })
}
