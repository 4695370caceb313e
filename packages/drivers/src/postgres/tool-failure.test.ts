import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, startTool, ToolFailure } from '@holdfast/core'
import type { PostgresRole, PostgresServer } from '@holdfast/testing'
import { makeTemporaryDirectory, startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runTool } from './testing/run-tool.ts'
import { failureOfTool } from './tool-failure.ts'

const SECRET = 's3cret'

function failed(stderrTail: string, exit: Partial<ToolFailure['exit']> = {}): AppError {
  const cause = new ToolFailure({ code: 1, killedBy: null, stderrTail, ...exit })
  return failureOfTool(new AppError('TOOL_FAILED', 'a tool failed', { cause }), 'pg_dump')
}

/** Everything of a failure that is shown or logged. */
function allOf(failure: AppError): string {
  const cause = failure.cause instanceof Error ? `${failure.cause.message} ${failure.cause.stack}` : ''
  return `${failure.message} ${failure.hint} ${cause}`
}

let server: PostgresServer
let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
beforeAll(async () => {
  server = await startPostgres()
  place = await makeTemporaryDirectory('tool-failure')
})
afterAll(async () => {
  await Promise.all([server.stop(), place.remove()])
})

describe('failureOfTool, for real tools', () => {
  async function failureOf(program: string, url: string, args: readonly string[]): Promise<AppError> {
    const run = await runTool(program, url, args)
    expect(run.code).not.toBe(0)
    return failureOfTool(new AppError('TOOL_FAILED', 'x', { cause: new ToolFailure(run) }), 'pg_dump')
  }
  const dumping = (url: string, ...args: readonly string[]) => failureOf(server.programs.pg_dump, url, args)
  const asking = (url: string, sql: string) =>
    failureOf(server.programs.psql, url, ['-X', '-v', 'ON_ERROR_STOP=1', '-c', sql])
  const makeTables = async (role: PostgresRole) => {
    const url = await server.createDatabase()
    const [, database = ''] = /\/(\w+)$/.exec(url) ?? []
    await server.sql(
      database,
      `CREATE TABLE hidden (id int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE TABLE "Se cret" (id int);
       GRANT SELECT ON hidden TO ${role.name}`,
    )
    return { database, url: server.urlOf(database, role) }
  }

  it('says who was not let in', async () => {
    const wrong = { name: server.superuser.name, password: SECRET }
    expect(await dumping(server.urlOf('postgres', wrong))).toMatchObject({
      code: 'DATABASE_ACCESS_DENIED',
      message: 'pg_dump: PostgreSQL did not accept the password of the user',
    })
    const { message } = await dumping(server.url.replace(/:[^:@]*@/, '@'))
    expect(message).toBe('pg_dump: PostgreSQL asks for a password and the URL has none')
  })

  it('says what is not there', async () => {
    expect(await dumping(server.urlOf('nope'))).toMatchObject({ code: 'DATABASE_NOT_FOUND' })
    expect(await dumping('postgres://u:p@127.0.0.1:1/x')).toMatchObject({ code: 'TARGET_UNREACHABLE' })
    expect(await dumping('postgres://u:p@nowhere.invalid/x')).toMatchObject({ code: 'TARGET_UNREACHABLE' })
    expect(await dumping(`${server.url}?sslmode=require`)).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      retryable: false,
    })
  })

  it('names the role for which the user may not act', async () => {
    const [user, owner] = [await server.createRole(), await server.createRole()]
    const [, database = ''] =
      /\/(\w+)$/.exec(await server.createDatabase(undefined, `OWNER ${user.name}`)) ?? []
    const acting = `CREATE SCHEMA AUTHORIZATION ${owner.name}`
    expect(await asking(server.urlOf(database, user), acting)).toMatchObject({
      code: 'DATABASE_ACCESS_DENIED',
      message: `pg_dump: the user of PostgreSQL is no member of role "${owner.name}"`,
    })
  })

  it('names the table whose rows are hidden, and the one that may not be read', async () => {
    const { url } = await makeTables(await server.createRole())
    expect(await dumping(url, '--table=hidden')).toMatchObject({
      code: 'DATABASE_ACCESS_DENIED',
      message: 'pg_dump: row level security hides rows of table hidden from the user (at public.hidden)',
    })
    expect(await dumping(url, '--table="Se cret"')).toMatchObject({
      code: 'DATABASE_ACCESS_DENIED',
      message:
        'pg_dump: the user of PostgreSQL lacks a privilege on table Se cret (at table public."Se cret")',
    })
  })

  it('names the table that is locked', async () => {
    const { database } = await makeTables(await server.createRole())
    const holder = await server.hold(database, 'LOCK TABLE "Se cret"')
    expect(await dumping(server.urlOf(database), '--lock-wait-timeout=100')).toMatchObject({
      code: 'DATABASE_LOCKED',
      message: expect.stringContaining('holds a lock on public."Se cret"'),
    })
    const locked = await asking(
      `${server.urlOf(database)}?lock_timeout=100`,
      'SELECT * FROM public.hidden, "Se cret"',
    )
    expect(locked).toMatchObject({ code: 'DATABASE_LOCKED', retryable: true })
    await holder.release()
  })

  it('names what a restore does not find, or finds already there', async () => {
    const [, from = ''] = /\/(\w+)$/.exec(await server.createDatabase()) ?? []
    const role = await server.createRole({ name: 'owner' })
    await server.sql(from, `CREATE TABLE t (id int); ALTER TABLE t OWNER TO owner; INSERT INTO t VALUES (1)`)
    const file = join(place.path, 'owner.dump')
    expect((await runTool(server.programs.pg_dump, server.urlOf(from), ['-Fc', '-f', file])).code).toBe(0)
    const restoring = (url: string) => failureOf(server.programs.pg_restore, url, ['--exit-on-error', file])
    expect((await restoring(server.urlOf(from))).message).toBe(
      'pg_dump: relation "t" already exists (at table public.t)',
    )
    await server.sql(from, `DROP TABLE t; DROP ROLE ${role.name}`)
    const missing = await restoring(server.urlOf(from))
    expect(missing.message).toBe('pg_dump: PostgreSQL has no role "owner" (at table public.t)')
  })

  it('repeats neither rows nor SQL, in messages or for the log', async () => {
    const [, database = ''] = /\/(\w+)$/.exec(await server.createDatabase()) ?? []
    await server.sql(database, `CREATE TABLE k (v text PRIMARY KEY); INSERT INTO k VALUES ('${SECRET}')`)
    const url = server.urlOf(database)
    const statements = [
      `INSERT INTO k VALUES ('${SECRET}')`,
      `SELECT '${SECRET}'::int`,
      `SELECT '${SECRET}'::date`,
      `SELECT '{${SECRET}'::int[]`,
      `SELECT '${SECRET}'::json`,
      `SELECT 1 FROM ${SECRET}_x WHERE '${SECRET}'`,
      `CREATE USER MAPPING FOR CURRENT_USER SERVER nope OPTIONS (password '${SECRET}')`,
      `DO $$ BEGIN EXECUTE 'SELECT ''${SECRET}''::int'; END $$`,
    ]
    for (const sql of statements) {
      const failure = await asking(url, sql)
      expect(allOf(failure).replaceAll(`${SECRET}_x`, '')).not.toContain(SECRET)
    }
  })

  it('tells a version that a program does not read', async () => {
    const file = join(place.path, 'newer.dump')
    await writeFile(
      file,
      Buffer.concat([Buffer.from('PGDMP'), Buffer.from([1, 99, 0, 4, 8, 1]), Buffer.alloc(64)]),
    )
    expect(await failureOf(server.programs.pg_restore, server.url, [file])).toMatchObject({
      code: 'TOOL_TOO_OLD',
    })
    await writeFile(file, 'PGDMP')
    expect(await failureOf(server.programs.pg_restore, server.url, [file])).toMatchObject({
      code: 'ARTIFACT_CORRUPT',
    })
    await writeFile(
      file,
      'something else altogether, long enough to be looked at, and more than that'.repeat(20),
    )
    expect(await failureOf(server.programs.pg_restore, server.url, [file])).toMatchObject({
      code: 'ARTIFACT_CORRUPT',
    })
  })

  it('tells a server that goes away', async () => {
    const own = await startPostgres()
    try {
      const running = failureOf(own.programs.psql, own.url, ['-XAtc', 'SELECT pg_sleep(60)'])
      await expect
        .poll(() => own.sql('postgres', `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'`))
        .toHaveLength(1)
      await own.kill()
      expect(await running).toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    } finally {
      await own.stop()
    }
  })
})

describe('failureOfTool', () => {
  it.each([
    [
      'pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 16.1 (Debian 16.1-1); pg_dump version: 15.20',
      'TOOL_TOO_OLD',
      /16\.1.*15\.20/,
    ],
    [
      'pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  invalid memory alloc request size 1258291203',
      'TOOL_FAILED',
      /single value is larger/,
    ],
    [
      'pg_dump: detail: Error message from server: ERROR:  out of memory\nDETAIL:  Cannot enlarge string buffer containing 1 bytes by 2 more bytes.',
      'TOOL_FAILED',
      /single value is larger/,
    ],
    [
      'pg_restore: error: COPY failed for table "t": ERROR:  could not extend file "base/1/2": No space left on device\nHINT:  Check free disk space.',
      'TOOL_FAILED',
      /disk of the PostgreSQL server is full/,
    ],
    [
      'pg_dump: error: could not write to file: No space left on device',
      'TEMPORARY_SPACE_FULL',
      /no space left/,
    ],
    [
      'pg_dump: error: connection to server at "h", port 5432 failed: FATAL:  sorry, too many clients already',
      'TARGET_UNREACHABLE',
      /no connection left/,
    ],
    [
      'pg_dump: error: connection to server at "h", port 5432 failed: FATAL:  the database system is starting up',
      'TARGET_UNREACHABLE',
      /starting up/,
    ],
    [
      'pg_dump: error: connection to server at "h", port 5432 failed: timeout expired',
      'TARGET_UNREACHABLE',
      /in time/,
    ],
    ['pg_dump: error: could not obtain lock on relation "public.t"', 'DATABASE_LOCKED', /public\.t/],
    [
      'pg_dump: detail: Error message from server: ERROR:  missing chunk number 0 for toast value 16390 in pg_toast_1',
      'DATABASE_CORRUPT',
      /damaged/,
    ],
    [
      'ERROR:  extension "postgis" is not available\nDETAIL:  Could not open extension control file',
      'TOOL_FAILED',
      /extension "postgis" is not installed/,
    ],
    [
      'ERROR:  unrecognized configuration parameter "transaction_timeout"',
      'TOOL_FAILED',
      /"transaction_timeout"/,
    ],
    [
      'pg_restore: error: could not execute query: ERROR:  function inner(integer) does not exist\nLINE 1: x',
      'TOOL_FAILED',
      /function inner\(integer\) does not exist/,
    ],
    ['FEHLER:  42501: keine Berechtigung', 'DATABASE_ACCESS_DENIED', /lacks a privilege/],
    ['FEHLER:  55P03: Sperre', 'DATABASE_LOCKED', /holds a lock/],
    ['FEHLER:  etwas', 'TOOL_FAILED', /^pg_dump: exited with 1$/],
  ])('understands %j', (printed, code, message) => {
    const failure = failed(printed)
    expect(failure.code).toBe(code)
    expect(failure.message).toMatch(message)
    expect(failure.message).toMatch(/^pg_dump: /)
    expect(failure.cause).toBeInstanceOf(ToolFailure)
  })

  it('names the object at which pg_restore gave up', () => {
    const printed = `pg_restore: creating CONSTRAINT "public.t t_pkey"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3312; 2606 16391 CONSTRAINT t t_pkey postgres
pg_restore: error: could not execute query: ERROR:  could not create unique index "t_pkey"
DETAIL:  Key (id)=(${SECRET}) is duplicated.
Command was: ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (id);
`
    const failure = failed(printed)
    expect(failure.message).toBe(
      'pg_dump: rows violate the unique index "t_pkey" (at CONSTRAINT t t_pkey postgres)',
    )
    expect(allOf(failure)).not.toContain(SECRET)
    expect(allOf(failure)).toContain('could not create unique index "t_pkey"')
  })

  it('does not look for reasons in the statement that failed', () => {
    const failure = failed(
      'pg_restore: error: could not execute query: ERROR:  something\n' +
        'Command was: CREATE FUNCTION public.f() RETURNS text AS $$\nNo space left on device\nConnection refused\n$$',
    )
    expect(failure.message).toBe('pg_dump: exited with 1 (at function public.f)')
    expect(allOf(failure)).not.toContain('No space')
  })

  it('tells the signal that ended a tool', () => {
    expect(failed('', { code: null, killedBy: 'SIGKILL' }).message).toBe('pg_dump: was ended by SIGKILL')
  })

  it('leaves other failures as they are', async () => {
    const cancelled = new AppError('CANCELLED', 'cancelled')
    expect(failureOfTool(cancelled, 'pg_dump')).toBe(cancelled)
    const missing = await startTool(
      { program: '/no/such/program', args: [], stdin: 'ignore', stdout: 'ignore' },
      new AbortController().signal,
    ).then((tool) => tool.done.catch((error: unknown) => error))
    expect(failureOfTool(missing, 'pg_dump')).toMatchObject({
      code: 'TOOL_FAILED',
      message: /could not be started/,
    })
    expect(failureOfTool(new Error(SECRET), 'pg_dump').message).toBe('pg_dump failed')
  })
})
