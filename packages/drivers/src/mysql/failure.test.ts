import type { ToolExit } from '@holdfast/core'
import { AppError, ToolFailure } from '@holdfast/core'
import { describe, expect, it } from 'vitest'
import { endsConnection, errnoOf, failureOfTool, toFailureOf } from './failure.ts'

/** As the client library has it, with the statement that it adds. */
function said(errno: number, message: string): Error {
  return Object.assign(new Error(message), { errno, sqlState: 'HY000', sql: "SELECT 'canary'" })
}

function failureOf(error: unknown): AppError {
  const failure = toFailureOf(error)
  if (failure instanceof AppError) return failure
  throw new Error('it is no foreseen failure')
}

// what servers of both flavours answer
const ANSWERS: readonly (readonly [number, string, string, string])[] = [
  [
    1045,
    "Access denied for user 'u'@'h' (using password: YES)",
    'DATABASE_ACCESS_DENIED',
    'user and password',
  ],
  [1698, "Access denied for user 'root'@'localhost'", 'DATABASE_ACCESS_DENIED', 'user and password'],
  [1044, "Access denied for user 'u'@'%' to database 'd'", 'DATABASE_ACCESS_DENIED', 'may not use'],
  [1049, "Unknown database 'nowhere'", 'DATABASE_NOT_FOUND', 'no database of that name'],
  [1130, "Host '10.0.0.1' is not allowed to connect", 'DATABASE_ACCESS_DENIED', 'from this host'],
  [1040, 'Too many connections', 'TARGET_UNREACHABLE', 'no connection left'],
  [
    1203,
    "User u already has more than 'max_user_connections' active",
    'TARGET_UNREACHABLE',
    'no connection left',
  ],
  [
    1227,
    'Access denied; you need (at least one of) the SUPER, BINLOG ADMIN privilege(s)',
    'DATABASE_ACCESS_DENIED',
    'lacks the privilege SUPER, BINLOG ADMIN',
  ],
  [
    1142,
    "SELECT command denied to user 'u'@'%' for table `d`.`t`",
    'DATABASE_ACCESS_DENIED',
    'may not SELECT on d`.`t',
  ],
  [
    1142,
    "SHOW VIEW command denied to user 'u'@'%' for table 'v'",
    'DATABASE_ACCESS_DENIED',
    'SHOW VIEW on v',
  ],
  [
    1356,
    "View 'd.v' references invalid table(s) or column(s) or function(s) or definer/invoker of view",

    'TOOL_FAILED',
    'the view d.v is invalid',
  ],
  [1356, "View 'd.v' verweist auf ungültige Tabellen", 'TOOL_FAILED', 'a view is invalid'],
  [
    1449,
    "The user specified as a definer ('gone'@'%') does not exist",
    'TOOL_FAILED',
    'the definer gone@% does not exist',
  ],
  [1412, 'Table definition has changed, please retry transaction', 'DATABASE_CHANGED', 'was changed'],
  [1205, 'Lock wait timeout exceeded; try restarting transaction', 'DATABASE_LOCKED', 'holds a lock'],
  [1213, 'Deadlock found when trying to get lock', 'DATABASE_LOCKED', 'deadlock'],
  [1114, "The table 't' is full", 'TOOL_FAILED', 'disk of the MySQL server is full'],
  [1030, 'Got error 28 "No space left on device" from storage engine InnoDB', 'TOOL_FAILED', 'is full'],
  [1194, "Table 't' is marked as crashed and should be repaired", 'DATABASE_CORRUPT', 'damaged'],
  [1273, "Unknown collation: 'utf8mb4_0900_ai_ci'", 'TOOL_FAILED', 'collation utf8mb4_0900_ai_ci'],
  [1286, "Unknown storage engine 'ROCKSDB'", 'TOOL_FAILED', 'storage engine ROCKSDB'],
  [
    1290,
    'The MariaDB server is running with the --read-only option',
    'DATABASE_ACCESS_DENIED',
    'does not allow this',
  ],
  [
    1419,
    'You do not have the SUPER privilege and binary logging is enabled',
    'DATABASE_ACCESS_DENIED',
    'SUPER',
  ],
  [1927, 'Connection was killed', 'TARGET_UNREACHABLE', 'ended on the MySQL server'],
  [4031, 'The client was disconnected by the server because of inactivity', 'TARGET_UNREACHABLE', 'ended'],
  [3159, 'Connections using insecure transport are prohibited', 'TARGET_UNREACHABLE', 'agree on TLS'],
  [1053, 'Server shutdown in progress', 'TARGET_UNREACHABLE', 'shut down'],
]

describe('what a server answers', () => {
  it.each(ANSWERS)('%i %j is a failure with its own code', (errno, message, code, words) => {
    const failure = failureOf(said(errno, message))
    expect(failure.code).toBe(code)
    expect(failure.message).toContain(words)
    expect(errnoOf(failure)).toBe(errno)
  })

  it.each([
    [1062, "Duplicate entry 'canary' for key 'PRIMARY'", 'the same value in a unique key'],
    [1180, 'Got error 1 "canary" during COMMIT', 'in a unique key'],
    [1366, "Incorrect integer value: 'canary' for column `d`.`t`.`c` at row 1", 'does not fit'],
    [1064, "You have an error in your SQL syntax near 'canary'", 'not understand'],
    [1180, 'Got error 5 "canary" during COMMIT', 'refused with'],
    [1644, 'canary of a trigger', 'refused with'],
    [9999, 'canary of the future', 'refused with'],
  ])('%i is not repeated: it may quote rows', (errno, message, words) => {
    const failure = failureOf(said(errno, message))
    expect(failure.code).toBe('TOOL_FAILED')
    expect(failure.message).toMatch(new RegExp(`${words}.* \\(?error ${errno}\\b`))
    expect(failure.message).not.toContain('canary')
    expect(`${failure.cause} ${JSON.stringify(failure.cause)}`).not.toContain('canary')
  })

  it.each([
    [said(1927, ''), true],
    [said(1053, ''), true],
    [said(1045, ''), false],
    [Object.assign(new Error('gone'), { fatal: true }), true],
    [new Error('else'), false],
  ])('is the last thing it says, or not: %s', (error, isLast) => {
    expect(endsConnection(error)).toBe(isLast)
  })

  it('leaves alone what nobody foresaw', () => {
    const bug = new TypeError('a bug')
    expect(toFailureOf(bug)).toBe(bug)
  })

  it.each([
    ['ECONNREFUSED', 'nothing listens'],
    ['ETIMEDOUT', 'did not answer in time'],
    ['ECONNRESET', 'was cut'],
    ['EHOSTUNREACH', 'no way to the host'],
  ])('has no part in %s', (code, words) => {
    const failure = failureOf(Object.assign(new Error(code), { code, syscall: 'connect', fatal: true }))
    expect([failure.code, failure.message.includes(words)]).toEqual(['TARGET_UNREACHABLE', true])
  })

  it('may ask for a method of logging in that is not supported', () => {
    const error = Object.assign(new Error('unknown plugin client_ed25519'), {
      ...{ code: 'AUTH_SWITCH_PLUGIN_ERROR', fatal: true },
    })
    expect(failureOf(error)).toMatchObject({ code: 'DATABASE_ACCESS_DENIED', retryable: false })
  })
})

const exit = (stderrTail: string, code: number | null = 2): ToolExit => ({
  ...{ code, killedBy: code === null ? 'SIGKILL' : null, stderrTail },
})

// recorded from programs of both flavours
const PRINTED: readonly (readonly [string, string, string])[] = [
  [
    `mariadb-dump: Got error: 1045: "Access denied for user 'u'@'h' (using password: YES)" when trying to connect`,
    'DATABASE_ACCESS_DENIED',
    'did not accept user and password',
  ],
  [
    `mysqldump: [Warning] Using a password on the command line interface can be insecure.\nmysqldump: Got error: 1049: Unknown database 'x' when selecting the database`,
    'DATABASE_NOT_FOUND',
    'no database',
  ],
  [
    `mysqldump: Got error: 2003: Can't connect to MySQL server on 'h:1' (111) when trying to connect`,
    'TARGET_UNREACHABLE',
    'could not be reached',
  ],
  [
    'mariadb-dump: Error 1412: Table definition has changed, please retry transaction when dumping table `t``x` at row: 0',
    'DATABASE_CHANGED',
    '(at `t``x`)',
  ],
  [
    'mariadb-dump: Error 2013: Lost connection to server during query when dumping table `t` at row: 12',
    'TARGET_UNREACHABLE',
    'was cut (at `t`)',
  ],
  [
    `mariadb-dump: Couldn't execute 'SHOW FIELDS FROM \`v\`': View 'd.v' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them (1356)`,
    'TOOL_FAILED',
    'the view d.v is invalid',
  ],
  [
    `mysqldump: Couldn't execute 'SHOW PACKAGE STATUS WHERE Db = 'd'': Access denied; you need (at least one of) the PROCESS privilege(s) for this operation (1227)`,
    'DATABASE_ACCESS_DENIED',
    'lacks the privilege PROCESS',
  ],
  [
    'ERROR 1419 (HY000) at line 83: You do not have the SUPER privilege and binary logging is enabled',
    'DATABASE_ACCESS_DENIED',
    'SUPER',
  ],
  ["ERROR 1062 (23000) at line 5: Duplicate entry 'canary' for key 'PRIMARY'", 'TOOL_FAILED', 'same value'],
  ['ERROR 2026 (HY000): TLS/SSL error: certificate verify failed', 'TARGET_UNREACHABLE', 'agree on TLS'],
  ['ERROR 2013 (HY000) at line 7: Lost connection to server during query', 'TARGET_UNREACHABLE', 'was cut'],
  ["mysqldump: [ERROR] unknown variable 'column-statistics=0'.", 'TOOL_TOO_OLD', 'column-statistics'],
  ["mariadb-dump: unknown option '--dump-history'", 'TOOL_TOO_OLD', 'option dump-history'],
  ['mariadb-dump: Got errno 28 on write\nNo space left on device', 'TEMPORARY_SPACE_FULL', 'no space left'],
  ['canary', 'TOOL_FAILED', 'tool: exited with 2'],
]

describe('what a program prints', () => {
  it.each(PRINTED)('%j is a failure with its own code', (printed, code, words) => {
    const failure = failureOfTool(
      new AppError('TOOL_FAILED', 'x', { cause: new ToolFailure(exit(printed)) }),
      'tool',
    )
    expect(failure.code).toBe(code)
    expect(failure.message).toMatch(/^tool: /)
    expect(failure.message).toContain(words)
    expect(`${failure.message} ${failure.cause}`).not.toContain('canary')
  })

  it('says how it ended if nothing else is known', () => {
    expect(failureOfTool(new ToolFailure(exit('', null)), 'mariadb').message).toBe(
      'mariadb: was ended by SIGKILL',
    )
  })

  it('has no say in a failure of something else', () => {
    const cancelled = new AppError('CANCELLED', 'cancelled')
    expect(failureOfTool(cancelled, 'mariadb')).toBe(cancelled)
  })
})
