import type { Meaning } from '../client-server/tool-failure.ts'
import { meaningOf } from './known-messages.ts'

/** By whole state, or by class where a state is not listed. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': { code: 'TARGET_UNREACHABLE', message: 'the connection to the PostgreSQL server failed' },
  '25006': {
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL allows reading only',
    hint: 'the server may be a standby: name the primary',
  },
  '28': {
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not let the user in',
    hint: "check the user and the server's pg_hba.conf",
  },
  '28P01': {
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not accept the password of the user',
    hint: 'check user and password in the URL',
  },
  '3D000': { code: 'DATABASE_NOT_FOUND', message: 'PostgreSQL has no database of that name' },
  '3F000': { code: 'DATABASE_NOT_FOUND', message: 'the database has no schema of that name' },
  '40001': { code: 'DATABASE_LOCKED', message: 'PostgreSQL gave up a transaction in favour of another one' },
  '40P01': { code: 'DATABASE_LOCKED', message: 'PostgreSQL ended a deadlock with another session' },
  '42501': { code: 'DATABASE_ACCESS_DENIED', message: 'the user of PostgreSQL lacks a privilege' },
  '53': { code: 'TOOL_FAILED', message: 'the PostgreSQL server ran out of resources', retryable: true },
  '53100': { code: 'TOOL_FAILED', message: 'the disk of the PostgreSQL server is full' },
  '53200': { code: 'TOOL_FAILED', message: 'the PostgreSQL server ran out of memory', retryable: true },
  '53300': {
    code: 'TARGET_UNREACHABLE',
    message: 'PostgreSQL has no connection left for the user',
    hint: 'raise max_connections or the limit of the role or database, or end idle sessions',
  },
  '54000': {
    code: 'TOOL_FAILED',
    message: 'a single value is larger than PostgreSQL can send as text',
    hint: 'split values of more than about 500 MB, or keep them as large objects',
  },
  '55006': { code: 'DATABASE_LOCKED', message: 'other sessions are using the database' },
  '55P03': {
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
  },
  '57014': {
    code: 'TOOL_FAILED',
    message: 'PostgreSQL ended the statement: a time-out or an administrator',
    hint: 'raise statement_timeout in the URL if it was the time-out',
  },
  '57P01': {
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server was shut down or the session ended there',
  },
  '57P02': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server crashed and restarts' },
  '57P03': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server is starting up or shutting down' },
  '57P04': { code: 'DATABASE_NOT_FOUND', message: 'the database was dropped meanwhile' },
  '57P05': { code: 'TARGET_UNREACHABLE', message: 'the PostgreSQL server ended an idle session' },
  '58': { code: 'TOOL_FAILED', message: 'the operating system of the PostgreSQL server reported an error' },
  XX001: { code: 'DATABASE_CORRUPT', message: 'PostgreSQL found damaged data' },
  XX002: {
    code: 'DATABASE_CORRUPT',
    message: 'PostgreSQL found a damaged index',
    hint: 'REINDEX may heal it',
  },
}

/** States that stand for many things, of which an English message says which. */
const VAGUE: readonly string[] = [
  '08P01',
  '28000',
  '42501',
  '42704',
  '54000',
  '55000',
  '57014',
  '58P01',
  'XX000',
]

/** What a state of the server means; TOOL_FAILED with the state where nothing better is known. */
export function meaningOfState(state: string, said = ''): Meaning {
  const exact = VAGUE.includes(state) ? meaningOf(said) : null
  return exact ?? MEANINGS[state] ?? MEANINGS[state.slice(0, 2)] ?? unforeseen(state)
}

function unforeseen(state: string): Meaning {
  return { code: 'TOOL_FAILED', message: `PostgreSQL refused with SQLSTATE ${state}` }
}
