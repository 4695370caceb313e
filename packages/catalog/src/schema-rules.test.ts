import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { BackupStatus } from '@holdfast/core'
import { BACKUP_TRANSITIONS, systemClock } from '@holdfast/core'
import { makeTemporaryDirectory, startPostgres } from '@holdfast/testing'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { openCatalog } from './open-catalog.ts'

/** Writes to the tables behind the catalog's back, as a faulty program would. */
type Run = (statement: string) => Promise<unknown>

/** What to undo in the end, last things first. */
type CleanUp = (() => unknown)[]

const ENGINES: Readonly<Record<string, (cleanUp: CleanUp) => Promise<Run>>> = {
  async SQLite(cleanUp) {
    const directory = await makeTemporaryDirectory('schema')
    cleanUp.push(() => directory.remove())
    const file = join(directory.path, 'catalog.sqlite')
    const catalog = await openCatalog({ url: `sqlite:${file}`, clock: systemClock })
    await catalog.close()
    const tables = new Sqlite(file)
    cleanUp.push(() => tables.close())
    tables.pragma('foreign_keys = on')
    return async (statement) => tables.exec(statement)
  },
  async PostgreSQL(cleanUp) {
    const server = await startPostgres()
    cleanUp.push(() => server.stop())
    const url = await server.createDatabase()
    const catalog = await openCatalog({ url, clock: systemClock })
    await catalog.close()
    const tables = new pg.Client(url)
    await tables.connect()
    cleanUp.push(() => tables.end())
    return (statement) => tables.query(statement)
  },
}

const STATUSES = Object.keys(BACKUP_TRANSITIONS) as readonly BackupStatus[] // its keys are all there are
const STATES = ['queued', 'waiting', 'running', 'completed', 'failed', 'cancelled'] as const
const LEGAL_STATES: Readonly<Record<(typeof STATES)[number], readonly string[]>> = {
  queued: ['waiting', 'running', 'failed', 'cancelled'],
  waiting: ['running', 'failed', 'cancelled'],
  running: ['queued', 'waiting', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
}

describe.each(Object.keys(ENGINES))('the tables on %s', (engine) => {
  const cleanUp: CleanUp = []
  let run: Run
  let made = 0

  beforeAll(async () => {
    run = (await ENGINES[engine]?.(cleanUp)) ?? assert.fail()
  })
  afterAll(async () => {
    for (const undo of cleanUp.toReversed()) await undo()
  })

  async function backupIn(status: string): Promise<string> {
    made += 1
    const id = `b${made}`
    await run(`insert into backups (id, target, engine, mode, kind, status, compression, encryption, storage,
      labels, pinned, requested_by, created_at, suspicious, facts) values ('${id}', 't', 'sqlite', 'full', 'manual',
      '${status}', 'none', 'none', 'default', '{}', 0, 'me', '2026-01-01', 0, '{}')`)
    return id
  }

  async function operationIn(
    state: string,
    lockKey = `k${made + 1}`,
    dedupId: string | null = null,
  ): Promise<string> {
    made += 1
    const id = `o${made}`
    const dedup = dedupId === null ? 'null' : `'${dedupId}'`
    await run(`insert into operations (id, job_id, type, request, lock_key, dedup_id, state, progress, requested_by,
      attempts, cancel_requested, not_before, created_at) values ('${id}', '${id}', 'backup', '{}', '${lockKey}',
      ${dedup}, '${state}', '{}', 'me', 0, 0, 0, '2026-01-01')`)
    return id
  }

  it.each(STATUSES)('let a backup that is %s become what the design says, and nothing else', async (from) => {
    const legal: readonly BackupStatus[] = BACKUP_TRANSITIONS[from]
    for (const to of STATUSES) {
      const id = await backupIn(from)
      const change = run(`update backups set status = '${to}' where id = '${id}'`)
      if (to === from || legal.includes(to)) await change
      else await assert.rejects(change, /BACKUP_NOT_USABLE/, `${from} to ${to}`)
    }
  })

  it.each(STATES)(
    'let an operation that is %s become what the design says, and nothing else',
    async (from) => {
      for (const to of STATES) {
        const id = await operationIn(from)
        const change = run(`update operations set state = '${to}' where id = '${id}'`)
        if (to === from || LEGAL_STATES[from].includes(to)) await change
        else await assert.rejects(change, /OPERATION_FINISHED/, `${from} to ${to}`)
      }
    },
  )

  it('know no other status or state', async () => {
    await assert.rejects(backupIn('fine'))
    await assert.rejects(operationIn('sleeping'))
  })

  it('hold one running operation per database', async () => {
    await operationIn('running', 'one-database')
    await operationIn('waiting', 'one-database')
    await assert.rejects(operationIn('running', 'one-database'))
    const id = await operationIn('queued', 'one-database')
    await assert.rejects(run(`update operations set state = 'running' where id = '${id}'`))
  })

  it('hold one unfinished operation of equal ones', async () => {
    await operationIn('failed', 'k', 'equal')
    const id = await operationIn('waiting', 'k', 'equal')
    await assert.rejects(operationIn('queued', 'k', 'equal'))
    await run(`update operations set state = 'cancelled' where id = '${id}'`)
    await operationIn('queued', 'k', 'equal')
  })

  it('keep backups and fences for ever', async () => {
    await assert.rejects(
      run(`delete from backups where id = '${await backupIn('deleted')}'`),
      /BACKUP_IN_USE/,
    )
    await run(`insert into target_locks (lock_key, fence, lease_until, revoked) values ('f', 7, 0, 0)`)
    await assert.rejects(run(`update target_locks set fence = 6 where lock_key = 'f'`), /FENCE_LOST/)
    await assert.rejects(run(`delete from target_locks where lock_key = 'f'`), /FENCE_LOST/)
    await run(`update target_locks set fence = 8 where lock_key = 'f'`)
  })

  it('hold one database for an operation at a time', async () => {
    const id = await operationIn('running')
    const lock = (key: string) =>
      run(`insert into target_locks (lock_key, operation_id, token, fence, lease_until, revoked)
        values ('${key}', '${id}', 'x', 1, 0, 0)`)
    await lock('first')
    await assert.rejects(lock('second'))
    await assert.rejects(run(`update target_locks set token = null where lock_key = 'first'`))
  })

  it('complete no backup without its facts', async () => {
    const id = await backupIn('in_progress')
    await assert.rejects(run(`update backups set status = 'completed', facts = null where id = '${id}'`))
  })
})
