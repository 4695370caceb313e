import { AppError } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { DatabaseError } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { sqlStateOf, toFailureOf } from './failure.ts'
import { SessionBench } from './testing/session-bench.ts'

const SECRET = 's3cret'

/** As the client library makes them of what a server says. */
function said(code: string, message: string, more: Partial<DatabaseError> = {}): DatabaseError {
  const detail = `Key (v)=(${SECRET}) already exists.`
  return Object.assign(new DatabaseError(message, message.length, 'error'), {
    ...{ code, detail, where: SECRET, internalQuery: SECRET, routine: 'some_routine' },
    ...more,
  })
}

function network(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.1:5432`), { code, syscall: 'connect' })
}

function failureOf(error: unknown): AppError {
  const failure = toFailureOf(error)
  if (failure instanceof AppError) return failure
  throw new Error('it was not foreseen')
}

describe('toFailureOf', () => {
  it.each([
    ['28P01', 'DATABASE_ACCESS_DENIED', false],
    ['28000', 'DATABASE_ACCESS_DENIED', false],
    ['3D000', 'DATABASE_NOT_FOUND', false],
    ['42501', 'DATABASE_ACCESS_DENIED', false],
    ['25006', 'DATABASE_ACCESS_DENIED', false],
    ['53300', 'TARGET_UNREACHABLE', true],
    ['57P01', 'TARGET_UNREACHABLE', true],
    ['57P02', 'TARGET_UNREACHABLE', true],
    ['57P03', 'TARGET_UNREACHABLE', true],
    ['08006', 'TARGET_UNREACHABLE', true],
    ['55P03', 'DATABASE_LOCKED', true],
    ['55006', 'DATABASE_LOCKED', true],
    ['40P01', 'DATABASE_LOCKED', true],
    ['57014', 'TOOL_FAILED', false],
    ['53100', 'TOOL_FAILED', false],
    ['53200', 'TOOL_FAILED', true],
    ['54000', 'TOOL_FAILED', false],
    ['XX001', 'DATABASE_CORRUPT', false],
    ['23505', 'TOOL_FAILED', false],
    ['22P02', 'TOOL_FAILED', false],
  ])('makes of SQLSTATE %s a %s, whatever language the server speaks', (state, code, retryable) => {
    const failure = failureOf(said(state, `ungültig: »${SECRET}«`))
    expect(failure).toMatchObject({ code, retryable })
    expect(`${failure.message} ${failure.hint}`).not.toContain(SECRET)
    expect(sqlStateOf(failure)).toBe(state)
  })

  it('says different things of different states', () => {
    const states = [
      '08006',
      '28P01',
      '28000',
      '53100',
      '53200',
      '53300',
      '54000',
      '57014',
      '57P01',
      '57P02',
      '57P03',
    ]
    expect(new Set(states.map((state) => failureOf(said(state, '')).message)).size).toBe(states.length)
  })

  it.each([
    ['42501', 'permission denied for table my table', /privilege on table my table$/],
    ['42501', 'permission denied for large object 16390', /privilege on large object 16390$/],
    ['42501', 'permission denied to create database', /may not create database$/],
    ['42501', 'permission denied to create extension "x"', /may not create extension "x"$/],
    ['42501', 'must be owner of database x', /must own database x$/],
    ['42501', 'query would be affected by row-level security policy for table "t"', /hides rows of table t/],
    ['57014', 'canceling statement due to statement timeout', /longer than statement_timeout/],
    ['57014', 'canceling statement due to user request', /administrator/],
    ['XX000', 'invalid memory alloc request size 1258291203', /single value is larger/],
    ['55000', 'database "x" is not currently accepting connections', /accepts no connections/],
    ['08P01', 'unsupported startup parameter: statement_timeout', /pooler/],
    [
      '53100',
      'could not extend file "base/5/1": No space left on device',
      /disk of the PostgreSQL server is full/,
    ],
  ])('says more of %s %j', (state, message, expected) => {
    expect(failureOf(said(state, message)).message).toMatch(expected)
  })

  it('names the table', () => {
    const failure = failureOf(said('23505', SECRET, { schema: 'shop', table: 'orders' }))
    expect(failure.message).toBe('PostgreSQL refused with SQLSTATE 23505 (table shop.orders)')
  })

  it('keeps rows out of what is logged', () => {
    for (const state of ['22P02', '23505', '23514', 'P0001', '21000']) {
      const { cause } = failureOf(said(state, `value "${SECRET}"`))
      const logged =
        cause instanceof Error ? `${cause.message} ${cause.stack} ${JSON.stringify(cause)}` : SECRET
      expect(logged).not.toContain(SECRET)
      expect(logged).toContain(state)
    }
  })

  it.each([
    ['ECONNREFUSED', /nothing listens/],
    ['ENOTFOUND', /not known/],
    ['EAI_AGAIN', /looked up/],
    ['ETIMEDOUT', /in time/],
    ['ECONNRESET', /was cut/],
    ['EPIPE', /was cut/],
    ['EHOSTUNREACH', /no way to the host/],
    ['ENOENT', /no socket/],
  ])('knows %s of the network', (code, message) => {
    const failure = failureOf(network(code))
    expect(failure).toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    expect(failure.message).toMatch(message)
    expect(failureOf(new AggregateError([network(code), network('ETIMEDOUT')])).message).toMatch(message)
  })

  it('knows what the client library says without a code', () => {
    for (const message of [
      'Connection terminated unexpectedly',
      'Connection terminated',
      'timeout expired',
    ]) {
      expect(failureOf(new Error(message)).code).toBe('TARGET_UNREACHABLE')
    }
    expect(failureOf(network('EACCES')).code).toBe('DATABASE_ACCESS_DENIED')
  })

  it('leaves alone what it does not know', () => {
    const unknown = new TypeError('a bug')
    expect(toFailureOf(unknown)).toBe(unknown)
    expect(toFailureOf(null)).toBe(null)
    const file = Object.assign(new Error('open x'), { code: 'ENOENT', syscall: 'open' })
    expect(toFailureOf(file)).toBe(file)
    const known = new AppError('CANCELLED', 'x')
    expect(toFailureOf(known)).toBe(known)
    expect(sqlStateOf(unknown)).toBe(null)
    expect(sqlStateOf(known)).toBe(null)
  })
})

describe('what a real server says', () => {
  let server: PostgresServer
  const bench = new SessionBench()
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(() => bench.closeAll())
  afterAll(() => server.stop())

  it('is told with kinds and names of objects, and without rows', async () => {
    const role = await server.createRole()
    const url = await server.createDatabase('objects')
    await server.sql(
      'objects',
      `CREATE TABLE "my table" (v text UNIQUE); INSERT INTO "my table" VALUES ('${SECRET}');
       SELECT lo_from_bytea(4711, 'x'); CREATE SCHEMA closed`,
    )
    const user = await bench.open(server.urlOf('objects', role))
    const owner = await bench.open(url)
    const failures: string[] = []
    const fails = async (session: typeof user, sql: string) => {
      const error: unknown = await session.query(sql).then(
        () => null,
        (reason: unknown) => reason,
      )
      failures.push(error instanceof AppError ? error.message : 'not foreseen')
    }
    await fails(user, 'SELECT * FROM public."my table"')
    await fails(user, 'SELECT lo_get(4711)')
    await fails(user, 'CREATE TABLE closed.t ()')
    await fails(user, 'CREATE DATABASE x')
    await fails(user, 'ALTER DATABASE objects RENAME TO x')
    await fails(user, 'DROP TABLE public."my table"')
    await fails(owner, `INSERT INTO public."my table" VALUES ('${SECRET}')`)
    await fails(owner, 'DROP DATABASE objects')
    expect(failures).toEqual([
      'the user of PostgreSQL lacks a privilege on table my table',
      'the user of PostgreSQL lacks a privilege on large object 4711',
      'the user of PostgreSQL lacks a privilege on schema closed',
      'the user of PostgreSQL may not create database',
      'the user of PostgreSQL must own database objects',
      'the user of PostgreSQL must own table my table',
      'PostgreSQL refused with SQLSTATE 23505 (table public.my table)',
      'other sessions are using the database',
    ])
  })
})
