import { AppError } from '@holdfast/core'

/** How an engine's client library tells of TLS. */
export interface TlsReport {
  /** As messages call it: `MySQL`. */
  readonly server: string
  /** The server said that it offers none. */
  readonly isNotOffered: boolean
  /** None came about, because of certificates or versions. */
  readonly isRefused: boolean
  /** The text in which `patterns` are looked for. */
  readonly text: string
  readonly patterns: {
    readonly otherHost: RegExp
    readonly otherTime: RegExp
    readonly otherAuthority: RegExp
  }
}

/** What waiting cannot heal about TLS, or null if the error is about something else. */
export function tlsFailureOf(error: unknown, report: TlsReport): AppError | null {
  const { server, text, patterns } = report
  const refused = (message: string, hint: string) =>
    new AppError('TARGET_UNREACHABLE', message, { hint, retryable: false, cause: error })
  if (report.isNotOffered) {
    return refused(`the ${server} server offers no TLS`, 'the URL demands it by sslmode')
  }
  if (codeOf(error).startsWith('ERR_OSSL')) {
    const message = `a certificate or key that the ${server} URL names is no usable PEM file`
    const hint = 'check the files of sslrootcert, sslcert and sslkey'
    return new AppError('INVALID_CONNECTION', message, { hint, cause: error })
  }
  if (!report.isRefused) return null
  const certificate = `the certificate of the ${server} server is not`
  if (patterns.otherHost.test(text)) {
    const hint = 'use the name that is in the certificate, or sslmode=verify-ca'
    return refused(`${certificate} for the URL's host`, hint)
  }
  if (patterns.otherTime.test(text)) {
    return refused(`${certificate} valid at this time`, 'renew it, and check the clocks')
  }
  if (patterns.otherAuthority.test(text)) {
    const hint = 'name the file of the authority that signed it'
    return refused(`${certificate} signed by the authority in sslrootcert`, hint)
  }
  return refused(
    `the ${server} server and this client agree on no TLS`,
    'check sslcert and sslkey, and the TLS versions that the server allows',
  )
}

/** The code of an error, empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
