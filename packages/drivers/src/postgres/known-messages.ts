import type { Meaning } from '../client-server/tool-failure.ts'

/** A text that is known, and its meaning, in which `$1` and `$2` stand for groups: kinds and names, never values. */
export interface KnownMessage extends Meaning {
  readonly pattern: RegExp
}

const HBA_HINT = "check the user and the server's pg_hba.conf"
const SLOTS_HINT = 'raise max_connections or the limit of the role or database, or end idle sessions'
const LOCK_HINT = 'find it in pg_locks, or raise lock_timeout in the URL'

// a name is the rest of the line: with or without quotes, and with spaces
const KIND = '(?:foreign |foreign-data |materialized |large |event |text search |operator )?[a-z]+'
const DENIED = new RegExp(`permission denied for (${KIND}) ([^\\n]{1,130})`)
const NOT_OWNED = new RegExp(`must be owner of (${KIND}) ([^\\n]{1,130})`)

const ACCESS: readonly KnownMessage[] = [
  {
    pattern: /no password supplied/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL asks for a password and the URL has none',
    hint: 'write postgres://user:password@host/database, percent-encoded',
  },
  {
    pattern: /password authentication failed/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not accept the password of the user',
    hint: 'check user and password in the URL',
  },
  {
    pattern:
      /no pg_hba\.conf entry|pg_hba\.conf rejects|authentication failed for user|not permitted to log in/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL did not let the user in',
    hint: HBA_HINT,
  },
  {
    pattern: /database "[^"\n]{1,63}" is not (?:currently )?accepting connections/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the database accepts no connections',
    hint: 'ALTER DATABASE … ALLOW_CONNECTIONS true lets them in again',
  },
  {
    pattern: /query would be affected by row-level security policy for table "([^"\n]{1,63})"/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'row level security hides rows of table $1 from the user',
    hint: 'use a role with BYPASSRLS: a backup without those rows would not be one',
  },
  {
    pattern: DENIED,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of PostgreSQL lacks a privilege on $1 $2',
  },
  {
    pattern: NOT_OWNED,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of PostgreSQL must own $1 $2',
  },
  {
    pattern: /permission denied to ([a-z][a-z ]{2,40}?)(?: ("[^"\n]{1,63}"))?(?:\n|$)/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of PostgreSQL may not $1 $2',
  },
  {
    pattern: /must (?:be member of role|be able to SET ROLE|have privileges of role) ("[^"\n]{1,63}")/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of PostgreSQL is no member of role $1',
    hint: 'grant it that role, or restore without owners and privileges',
  },
  {
    pattern: /must be (?:a )?superuser|only superusers? (?:can|may) /,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'only a superuser of PostgreSQL may do this',
  },
]

const MISSING: readonly KnownMessage[] = [
  {
    pattern: /FATAL: {2}database "[^"\n]{1,63}" does not exist/,
    code: 'DATABASE_NOT_FOUND',
    message: 'PostgreSQL has no database of that name',
  },
  {
    pattern: /role ("[^"\n]{1,63}") does not exist/,
    code: 'TOOL_FAILED',
    message: 'PostgreSQL has no role $1',
    hint: 'create it, or restore without owners and privileges',
  },
  {
    pattern:
      /extension ("[^"\n]{1,63}") is not available|could not open extension control file "[^"\n]*?([^"/\n]{1,63})\.control"/,
    code: 'TOOL_FAILED',
    message: 'the extension $1$2 is not installed on the PostgreSQL server',
    hint: 'install its package on the server',
  },
  {
    pattern: /could not access file ("[^"\n]{1,200}"): No such file or directory/,
    code: 'TOOL_FAILED',
    message: 'the library $1 is not installed on the PostgreSQL server',
    hint: 'install the package of the extension on the server',
  },
  {
    pattern: /unrecognized configuration parameter ("[^"\n]{1,63}")/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server does not know the setting $1',
    hint: 'it may be older than the server that the dump is from',
  },
]

const LIMITS: readonly KnownMessage[] = [
  {
    pattern: /invalid memory alloc request size|Cannot enlarge string buffer|string buffer exceeds maximum/,
    code: 'TOOL_FAILED',
    message: 'a single value is larger than PostgreSQL can send as text',
    hint: 'split values of more than about 500 MB, or keep them as large objects',
  },
  {
    pattern: /(?:ERROR|FATAL|PANIC): {2}[^\n]*(?:No space left on device|Disk quota exceeded)/,
    code: 'TOOL_FAILED',
    message: 'the disk of the PostgreSQL server is full',
  },
  {
    pattern: /ERROR: {2}(?:\w{5}: )?out of shared memory/,
    code: 'TOOL_FAILED',
    message: 'PostgreSQL has no room for more locks',
    hint: 'raise max_locks_per_transaction on the server',
  },
  {
    pattern:
      /(?:ERROR|FATAL): {2}(?:\w{5}: )?(?:out of memory|could not resize shared memory|could not fork)|(?:ERROR|FATAL): {2}[^\n]*(?:Too many open files|Cannot allocate memory)/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server ran out of resources',
    retryable: true,
  },
  {
    pattern:
      /(?:ERROR|FATAL|PANIC): {2}(?:\w{5}: )?could not (?:write|extend|fsync|create|open|stat) [^\n]*: Input\/output error/,
    code: 'TOOL_FAILED',
    message: 'the operating system of the PostgreSQL server reported an error',
  },
  {
    pattern: /cannot execute [A-Z ]{2,40} (?:in a read-only transaction|during recovery)/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'PostgreSQL allows reading only',
    hint: 'the server may be a standby: name the primary',
  },
  {
    pattern:
      /invalid page in block|(?:missing|unexpected) chunk number|could not read block|compressed \w+ data is corrupt/,
    code: 'DATABASE_CORRUPT',
    message: 'PostgreSQL found damaged data',
  },
]

const WAITS: readonly KnownMessage[] = [
  {
    pattern: /canceling statement due to lock timeout|could not obtain lock on/,
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: LOCK_HINT,
  },
  {
    pattern: /canceling statement due to statement timeout/,
    code: 'TOOL_FAILED',
    message: 'PostgreSQL ended a statement that took longer than statement_timeout',
    hint: 'raise statement_timeout in the URL',
  },
  {
    pattern: /canceling statement due to conflict with recovery/,
    code: 'DATABASE_LOCKED',
    message: 'the standby removed rows that were still being read',
    hint: 'set hot_standby_feedback, or raise max_standby_streaming_delay',
  },
  {
    pattern: /canceling statement due to user request/,
    code: 'TOOL_FAILED',
    message: 'an administrator of the PostgreSQL server ended the statement',
  },
  {
    pattern: /deadlock detected/,
    code: 'DATABASE_LOCKED',
    message: 'PostgreSQL ended a deadlock with another session',
  },
  {
    pattern: /is being accessed by other users/,
    code: 'DATABASE_LOCKED',
    message: 'other sessions are using the database',
  },
]

const CONNECTION: readonly KnownMessage[] = [
  {
    pattern: /unsupported startup parameter/,
    code: 'INVALID_CONNECTION',
    message: 'a pooler stands before PostgreSQL and refuses the settings of the connection',
    hint: 'connect to PostgreSQL itself: backups and restores need sessions of their own',
  },
  {
    pattern: /too many clients already|remaining connection slots are reserved|too many connections for/,
    code: 'TARGET_UNREACHABLE',
    message: 'PostgreSQL has no connection left for the user',
    hint: SLOTS_HINT,
  },
  {
    pattern:
      /the database system is (?:starting up|shutting down|in recovery mode|not (?:yet )?accepting connections)/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server is starting up or shutting down',
  },
  {
    pattern: /terminating connection due to administrator command/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server was shut down or the session ended there',
  },
  {
    pattern: /terminating connection because of crash of another server process/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server crashed and restarts',
  },
  {
    pattern:
      /certificate verify failed|does not match host name|root certificate file|SSL error|not support SSL/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server and the URL do not agree on TLS',
    hint: 'check sslmode, sslrootcert, sslcert and sslkey',
    retryable: false,
  },
  {
    pattern: /Connection refused/,
    code: 'TARGET_UNREACHABLE',
    message: 'nothing listens at the address of the PostgreSQL server',
  },
  {
    pattern: /could not translate host name/,
    code: 'TARGET_UNREACHABLE',
    message: 'the host of the PostgreSQL server is not known',
  },
  {
    pattern: /timeout expired|Connection timed out/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server did not answer in time',
  },
  {
    pattern:
      /server closed the connection|connection to server was lost|SSL connection has been closed|data (?:from|to) server|no connection to the server/,
    code: 'TARGET_UNREACHABLE',
    message: 'the connection to the PostgreSQL server was cut',
  },
  {
    pattern: /connection to server [^\n]* failed/,
    code: 'TARGET_UNREACHABLE',
    message: 'the PostgreSQL server could not be reached',
  },
]

/** What PostgreSQL's server and libpq say in English for causes that somebody can do something about. */
const OF_SERVER: readonly KnownMessage[] = [...ACCESS, ...MISSING, ...LIMITS, ...WAITS, ...CONNECTION]

/** The meaning of a text, or null if it is not known. The first match wins; `first` goes before the server's. */
export function meaningOf(text: string, first: readonly KnownMessage[] = []): Meaning | null {
  for (const { pattern, message, ...meaning } of [...first, ...OF_SERVER]) {
    const found = pattern.exec(text)
    if (found === null) continue
    const named = message.replace(/\$([12])/g, (_, group: string) => found[Number(group)] ?? '')
    return { ...meaning, message: named.trim() }
  }
  return null
}
