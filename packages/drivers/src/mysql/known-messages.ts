import type { Meaning } from '../client-server/tool-failure.ts'

/** Numbers of one meaning, in whose message `$1` and `$2` stand for groups of the pattern: names, never values. */
interface KnownNumbers extends Meaning {
  readonly numbers: readonly number[]
  /** Tried on what the server said; without a match the next row is looked at. */
  readonly pattern?: RegExp
}

const NAME = "[^'\\n]{1,200}"

const ACCESS: readonly KnownNumbers[] = [
  {
    numbers: [1045, 1698],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the MySQL server did not accept user and password',
    hint: 'check user and password in the URL, and from which hosts the account may connect',
  },
  {
    numbers: [1044],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user may not use this database, or it lacks a privilege on it',
    hint: 'SHOW GRANTS lists what it may do',
  },
  {
    numbers: [1130],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the MySQL server lets nobody in from this host',
    hint: 'create the account for this host, or for %',
  },
  {
    numbers: [1129],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the MySQL server has blocked this host after many failed connections',
    hint: 'FLUSH HOSTS on the server lets it in again',
  },
  {
    numbers: [1820, 1862],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the password of the MySQL user has expired',
    hint: 'set a new one with ALTER USER',
  },
  {
    numbers: [3118, 4151],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the account of the MySQL user is locked',
    hint: 'ALTER USER … ACCOUNT UNLOCK opens it',
  },
  {
    numbers: [1227],
    pattern: /at least one of\) the ([A-Z_, ]{3,120}) privilege/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of MySQL lacks the privilege $1',
    hint: 'grant it, or use another account',
  },
  {
    numbers: [1142, 1143],
    pattern: /^([A-Z][A-Z ,]{2,60}) command denied to user .* for (?:table|column) ['`]([^\n]{1,200}?)['`]?$/,
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of MySQL may not $1 on $2',
    hint: 'grant it, or use another account',
  },
  {
    numbers: [1142, 1143, 1227, 1370, 1211, 1410],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the user of MySQL lacks a privilege',
    hint: 'SHOW GRANTS lists what it may do',
  },
  {
    numbers: [1419],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'only a user with SUPER may create triggers and functions while the server writes a binary log',
    hint: 'grant SUPER to the user, or set log_bin_trust_function_creators on the server',
  },
  {
    numbers: [1418],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'a function is not declared deterministic and the server writes a binary log',
    hint: 'grant SUPER to the user, or set log_bin_trust_function_creators on the server',
  },
  {
    numbers: [1290, 1792, 1836],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the MySQL server does not allow this as it is set up',
    hint: 'it may be a replica or read-only: name the primary',
  },
  {
    numbers: [1251, 1275, 2049, 2059, 2061],
    code: 'DATABASE_ACCESS_DENIED',
    message: 'the account logs in by a method that is not supported',
    hint: 'use mysql_native_password or caching_sha2_password, the latter over TLS or a socket',
  },
]

const MISSING: readonly KnownNumbers[] = [
  {
    numbers: [1049],
    code: 'DATABASE_NOT_FOUND',
    message: 'MySQL has no database of that name',
  },
  {
    numbers: [1356],
    pattern: new RegExp(`View '(${NAME})' references`),
    code: 'TOOL_FAILED',
    message: 'the view $1 is invalid: what it selects from is not there, or its definer may not read it',
    hint: 'repair or drop the view',
  },
  {
    // a server may speak another language to programs
    numbers: [1356],
    code: 'TOOL_FAILED',
    message: 'a view is invalid: what it selects from is not there, or its definer may not read it',
    hint: 'repair or drop the view',
  },
  {
    numbers: [1449],
    pattern: new RegExp(`definer \\('(${NAME})'@'([^'\\n]{0,200})'\\)`),
    code: 'TOOL_FAILED',
    message: 'the definer $1@$2 does not exist',
    hint: 'create the account, or restore without owners and privileges',
  },
  {
    numbers: [1449],
    code: 'TOOL_FAILED',
    message: 'the definer of a view, trigger or routine does not exist',
    hint: 'create the account, or restore without owners and privileges',
  },
  {
    numbers: [1146, 1051, 1109],
    pattern: new RegExp(`[Tt]able '(${NAME})'`),
    code: 'TOOL_FAILED',
    message: 'there is no table $1',
  },
  {
    numbers: [1305],
    pattern: /((?:FUNCTION|PROCEDURE|PACKAGE|TRIGGER)) ([^\n]{1,200}) does not exist/,
    code: 'TOOL_FAILED',
    message: 'there is no $1 $2',
  },
  {
    numbers: [1286, 1115, 1273, 1193, 1305],
    pattern: new RegExp(
      `(?:Unknown|unknown) (storage engine|character set|collation|system variable):? '(${NAME})'`,
    ),
    code: 'TOOL_FAILED',
    message: 'the MySQL server does not know the $1 $2',
    hint: 'it may be older than the server that the dump is from, or of the other flavour',
  },
]

const LIMITS: readonly KnownNumbers[] = [
  {
    numbers: [1021, 1114],
    code: 'TOOL_FAILED',
    message: 'the disk of the MySQL server is full, or a table has reached its limit',
  },
  {
    numbers: [1026, 1030, 3, 20],
    pattern: /(?:[Ee]rror|Errcode):? ?28\b|No space left/,
    code: 'TOOL_FAILED',
    message: 'the disk of the MySQL server is full',
  },
  {
    numbers: [1037, 1038, 1041, 1135],
    code: 'TOOL_FAILED',
    message: 'the MySQL server ran out of resources',
    retryable: true,
  },
  {
    numbers: [1153, 2020, 1301],
    code: 'TOOL_FAILED',
    message: 'a row or statement is larger than max_allowed_packet',
    hint: 'raise max_allowed_packet on the server, up to 1G',
  },
  {
    numbers: [126, 127, 145, 1034, 1194, 1195, 1712, 1877, 1932],
    code: 'DATABASE_CORRUPT',
    message: 'the MySQL server found a damaged table or index',
    hint: 'CHECK TABLE says which; the log of the server says more',
  },
  {
    numbers: [1969, 3024],
    code: 'TOOL_FAILED',
    message: 'the MySQL server ended a statement that took longer than it allows',
    hint: 'raise max_statement_time or max_execution_time of the server or the account',
  },
  {
    numbers: [1118, 1071, 1117, 1709],
    code: 'TOOL_FAILED',
    message: 'a table of the dump is not possible with the settings of the MySQL server',
    hint: 'compare innodb_page_size, innodb_strict_mode and the row format with those of the source',
  },
]

const WAITS: readonly KnownNumbers[] = [
  {
    numbers: [1205, 3572],
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: 'find it with SHOW PROCESSLIST, or raise lock_timeout in the URL',
  },
  {
    numbers: [1213],
    code: 'DATABASE_LOCKED',
    message: 'the MySQL server ended a deadlock with another session',
  },
  {
    numbers: [1412],
    code: 'DATABASE_CHANGED',
    message: 'the definition of a table was changed while it was being read',
  },
  {
    numbers: [1317],
    code: 'TOOL_FAILED',
    message: 'an administrator of the MySQL server ended the statement',
  },
]

const CONNECTION: readonly KnownNumbers[] = [
  {
    numbers: [1040, 1203, 1226],
    code: 'TARGET_UNREACHABLE',
    message: 'the MySQL server has no connection left for the user',
    hint: 'raise max_connections or the limit of the account, or end idle sessions',
  },
  {
    numbers: [1053, 1079],
    code: 'TARGET_UNREACHABLE',
    message: 'the MySQL server is being shut down',
  },
  {
    numbers: [1927, 3169, 4031],
    code: 'TARGET_UNREACHABLE',
    message: 'the session was ended on the MySQL server',
  },
  {
    numbers: [1152, 1158, 1159, 1160, 1161, 1184, 2006, 2012, 2013, 2055],
    code: 'TARGET_UNREACHABLE',
    message: 'the connection to the MySQL server was cut',
    hint: "if it happens after the server's net_write_timeout, storage takes the data too slowly: raise it",
  },
  {
    numbers: [2002, 2003],
    code: 'TARGET_UNREACHABLE',
    message: 'the MySQL server could not be reached',
    hint: 'check host, port and socket in the URL, and whether the server runs',
  },
  {
    numbers: [2005],
    code: 'TARGET_UNREACHABLE',
    message: 'the host of the MySQL server is not known',
  },
  {
    numbers: [2026, 3159],
    code: 'TARGET_UNREACHABLE',
    message: 'the MySQL server and the URL do not agree on TLS',
    hint: 'check sslmode, sslrootcert, sslcert and sslkey',
    retryable: false,
  },
]

const ALL: readonly KnownNumbers[] = [...ACCESS, ...MISSING, ...LIMITS, ...WAITS, ...CONNECTION]

/** What an error number and its message mean, or null if the number is not known. The first row that fits wins. */
export function meaningOf(number: number, said: string): Meaning | null {
  for (const { numbers, pattern, message, ...meaning } of ALL) {
    if (!numbers.includes(number)) continue
    const found = pattern === undefined ? [] : pattern.exec(said)
    if (found === null) continue
    const named = message.replace(/\$([12])/g, (_, group: string) => found[Number(group)] ?? '')
    return { ...meaning, message: named.trim() }
  }
  return null
}
