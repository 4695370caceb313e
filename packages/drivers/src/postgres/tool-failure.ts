import type { ErrorCode } from '@holdfast/core'
import { AppError, hasCode, ToolFailure } from '@holdfast/core'

interface Pattern {
  readonly pattern: RegExp
  readonly code: ErrorCode
  /** `$1` is the first identifier that the pattern found. */
  readonly message: string
  readonly hint?: string
}

/** What the tools print, in the C locale, for causes that an operator can do something about. First match wins. */
const PATTERNS: readonly Pattern[] = [
  {
    pattern: /server version mismatch/,
    code: 'TOOL_TOO_OLD',
    message: 'it is older than the server',
    hint: 'install the client of the version of the server',
  },
  {
    pattern: /no password supplied/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL asks for a password and the URL has none',
  },
  {
    pattern:
      /password authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|authentication failed/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not let the user in',
    hint: 'check user, password and pg_hba.conf of the server',
  },
  {
    pattern: /canceling statement due to lock timeout|could not obtain lock on/,
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
  },
  {
    pattern: /query would be affected by row-level security policy for table "([^"\n]{1,63})"/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'row level security hides rows of table $1 from the user',
    hint: 'use a role with BYPASSRLS or the owner of the table',
  },
  {
    pattern:
      /permission denied for (?:table|relation|view|sequence|schema|database|large object|function|foreign server|language|type) "?([^"\n]{1,63})"?/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user may not use $1',
  },
  {
    pattern:
      /invalid memory alloc request size|out of memory\nDETAIL: {2}Cannot enlarge string buffer|string buffer exceeds maximum allowed length/,
    code: 'TOOL_FAILED',
    message: 'a single value is larger than PostgreSQL can send as text',
    hint: 'values of more than about 500 MB cannot be backed up; split them or keep them as large objects',
  },
]

/**
 * The best reason for a tool's end that is known: its stderr is compared with what PostgreSQL's tools are known to
 * print, and nothing but identifiers is taken from it. `what` begins the message, e.g. `pg_dump`.
 */
export function failureOfTool(error: unknown, what: string): AppError {
  if (error instanceof AppError && !hasCode(error, 'TOOL_FAILED')) return error
  const cause = error instanceof AppError ? error.cause : error
  const printed = cause instanceof ToolFailure ? cause.exit.stderrTail : ''
  for (const { pattern, code, message, hint } of PATTERNS) {
    const found = pattern.exec(printed)
    if (found === null) continue
    return new AppError(code, `${what}: ${message.replace('$1', () => found[1] ?? '')}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    })
  }
  if (error instanceof AppError) return error
  return new AppError('TOOL_FAILED', `${what} failed`, { cause: error })
}
