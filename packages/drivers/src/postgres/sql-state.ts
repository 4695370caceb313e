import type { ErrorCode } from '@holdfast/core'
import { AppError } from '@holdfast/core'

/** What came with a SQLSTATE. */
export interface StateContext {
  readonly schema?: string | undefined
  readonly table?: string | undefined
  /** Used to find a kind of object in it, never shown. */
  readonly message?: string
  readonly cause?: unknown
}

interface Meaning {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly retryable?: boolean
}

const ACCESS_HINT = 'check user, password and pg_hba.conf of the server'

/** By whole state, or by class where a state is not listed. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': { code: 'TARGET_UNREACHABLE', message: 'the connection to the PostgreSQL server failed' },
  '0A': { code: 'TOOL_FAILED', message: 'PostgreSQL does not support what was asked for' },
  '25006': {
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL allows reading only',
    hint: 'the server may be a standby; name the primary',
  },
  '28': { code: 'DATABASE_ACCESS_DENIED', message: 'PostgreSQL did not let the user in', hint: ACCESS_HINT },
  '28P01': {
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not accept the password of the user',
    hint: ACCESS_HINT,
  },
  '3D000': { code: 'DATABASE_NOT_FOUND', message: 'PostgreSQL has no database of that name' },
  '3F000': { code: 'DATABASE_NOT_FOUND', message: 'the database has no schema of that name' },
  '42501': { code: 'DATABASE_ACCESS_DENIED', message: 'the user of PostgreSQL lacks a privilege' },
  '53000': { code: 'TOOL_FAILED', message: 'PostgreSQL ran out of resources', retryable: true },
  '53100': { code: 'TOOL_FAILED', message: 'the disk of the PostgreSQL server is full' },
  '53200': { code: 'TOOL_FAILED', message: 'PostgreSQL ran out of memory' },
  '53300': {
    code: 'TARGET_UNREACHABLE',
    message: 'PostgreSQL has no connection left for the user',
    hint: 'raise max_connections or the limit of the role or database, or end idle sessions',
  },
  '54000': {
    code: 'TOOL_FAILED',
    message: 'a single value is larger than PostgreSQL can send as text',
    hint: 'values of more than about 500 MB cannot be backed up; split them or keep them as large objects',
  },
  '55006': { code: 'DATABASE_LOCKED', message: 'the database is in use by other sessions' },
  '55P03': {
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
  },
  '40001': { code: 'DATABASE_LOCKED', message: 'PostgreSQL gave up a transaction for another one' },
  '40P01': { code: 'DATABASE_LOCKED', message: 'PostgreSQL ended a deadlock with another session' },
  '57014': {
    code: 'TARGET_UNREACHABLE',
    message: 'PostgreSQL ended the statement: a time-out or an administrator',
    hint: 'raise statement_timeout in the URL if it was the time-out',
  },
  '57P01': {
    code: 'TARGET_UNREACHABLE',
    message: 'an administrator ended the session on the PostgreSQL server',
  },
  '57P02': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server crashed and restarts' },
  '57P03': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server starts up or shuts down' },
  '57P05': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server ended an idle session' },
  '58': { code: 'TARGET_UNREACHABLE', message: "the PostgreSQL server's system failed" },
  XX001: { code: 'DATABASE_CORRUPT', message: 'PostgreSQL found a damaged table or file' },
  XX002: {
    code: 'DATABASE_CORRUPT',
    message: 'PostgreSQL found a damaged index',
    hint: 'REINDEX may heal it',
  },
}

/** The failure that a state of the server means; TOOL_FAILED with the state where nothing better is known. */
export function failureOfState(state: string, context: StateContext = {}): AppError {
  const meaning = MEANINGS[state] ?? MEANINGS[state.slice(0, 2)]
  if (meaning === undefined) {
    return new AppError('TOOL_FAILED', `PostgreSQL refused with SQLSTATE ${state}${tableOf(context)}`, {
      cause: context.cause,
    })
  }
  const { code, message, ...options } = meaning
  return new AppError(code, `${message}${tableOf(context)}`, { ...options, cause: context.cause })
}

function tableOf({ schema, table }: StateContext): string {
  if (table === undefined) return ''
  return schema === undefined ? ` (table ${table})` : ` (table ${schema}.${table})`
}
