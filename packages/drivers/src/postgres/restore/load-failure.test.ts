import { AppError, ToolFailure } from '@holdfast/core'
import { describe, expect, it } from 'vitest'
import { failureOfLoad } from './load-failure.ts'
import { ToolLog } from './tool-log.ts'

/** How it ends that a tool exits after it has printed this. */
async function failureAfter(
  printed: string,
  what: 'pg_restore' | 'psql' = 'pg_restore',
  code: number | null = 1,
) {
  const log = new ToolLog()
  log.hear(`${printed}\n`)
  const exit = { code, killedBy: code === null ? ('SIGKILL' as const) : null, stderrTail: printed }
  const error = new AppError('TOOL_FAILED', 'it failed', { cause: new ToolFailure(exit) })
  return failureOfLoad(error, what, log, null)
}

const at = (said: string) =>
  `pg_restore: from TOC entry 7; 2606 16391 INDEX i postgres\npg_restore: error: could not execute query: ${said}`

describe('failureOfLoad', () => {
  it.each([
    at('ERROR:  temporary file size exceeds temp_file_limit (1kB)'),
    at('ERROR:  could not create locale "xx_XX": No such file or directory'),
    at('ERROR:  collation "xx" for encoding "UTF8" does not exist'),
    at('ERROR:  could not open dictionary file "/usr/share/x.dict": No such file or directory'),
    at('ERROR:  could not find function "f" in file "/usr/lib/postgresql/15/lib/x.so"'),
    at('ERROR:  extension "x" has no installation script nor update path for version "9"'),
    at('ERROR:  tablespace "space" does not exist'),
    at('ERROR:  role "nobody" does not exist'),
    at('ERROR:  out of shared memory'),
    at('FATAL:  terminating connection due to idle-in-transaction timeout'),
    at('FEHLER:  irgendetwas'),
    'pg_restore: error: COPY failed for table "t": ERROR:  could not extend file "base/1": No space left on device',
    'pg_restore: error: a worker process died unexpectedly',
    'pg_restore: error: could not create worker process: Resource temporarily unavailable',
    'pg_restore: error: could not create communication channels: Too many open files',
  ])('does not blame the dump for %j', async (printed) => {
    const failure = await failureAfter(printed)
    expect(failure.code).not.toBe('VERIFICATION_FAILED')
    expect(failure.message).toMatch(/^pg_restore: /)
  })

  it.each([
    'pg_restore:pg_restore: error: $\npg_restore: error: could not write to the communication channel: Broken pipe',
    'pg_restore: pg_restore: error: $\npg_restore: error: a worker process died unexpectedly',
    'pg_restore: error: $\n error: a worker process died unexpectedly',
    'pg_restore: processing data for pg_restore: error: $\ntable "t"\npg_restore: error: a worker process died unexpectedly',
  ])('hears the process at fault when others talk at the same time: %j', async (printed) => {
    const said =
      'reconnection failed: connection to server at "h" failed: FATAL:  sorry, too many clients already'
    const failure = await failureAfter(printed.replace('$', () => said))
    expect(failure).toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    expect(failure.message).toContain('no connection left')
  })

  it('has a process that was ended tried again', async () => {
    const failure = await failureAfter('pg_restore: error: a worker process died unexpectedly')
    expect(failure).toMatchObject({ code: 'TOOL_FAILED', retryable: true })
  })

  it('names the object also if the server is to blame', async () => {
    const { message, hint } = await failureAfter(at('ERROR:  could not create locale "xx_XX"'))
    expect(message).toBe(
      'pg_restore: the PostgreSQL server has not a locale that the dump uses (at INDEX i postgres)',
    )
    expect(hint).toContain('install')
  })

  it.each([
    at('ERROR:  function f(integer) does not exist'),
    at('ERROR:  division by zero'),
    'pg_restore: error: COPY failed for table "t": ERROR:  new row for relation "t" violates check constraint "c"',
  ])('blames the dump for %j', async (printed) => {
    expect((await failureAfter(printed)).message).toMatch(/^not restorable: pg_restore: /)
  })

  it.each([
    ['42883', 'VERIFICATION_FAILED'],
    ['P0001', 'VERIFICATION_FAILED'],
    ['22012', 'VERIFICATION_FAILED'],
    ['53100', 'TOOL_FAILED'],
    ['53400', 'TOOL_FAILED'],
    ['42501', 'DATABASE_ACCESS_DENIED'],
    ['55P03', 'DATABASE_LOCKED'],
    ['57P01', 'TARGET_UNREACHABLE'],
  ])('judges SQLSTATE %s in any language', async (state, code) => {
    expect(await failureAfter(`psql:<stdin>:7: FEHLER:  ${state}: etwas`, 'psql', 3)).toMatchObject({ code })
  })

  it('never blames the dump for a program that was killed', async () => {
    expect((await failureAfter(at('ERROR:  division by zero'), 'pg_restore', null)).code).toBe('TOOL_FAILED')
  })
})
