import { parentPort, workerData } from 'node:worker_threads'
import { AppError } from '@holdfast/core'
import { Kysely } from 'kysely'
import type { Migrated } from '../migrations/migrate.ts'
import { migrate } from '../migrations/migrate.ts'
import { createSession } from '../sql/session.ts'
import type { SqlCatalog } from '../sql/sql-catalog.ts'
import { createSqlCatalog } from '../sql/sql-catalog.ts'
import type { Tables } from '../sql/tables.ts'
import type { Call, FromThread, ThreadOptions, ToThread } from './protocol.ts'
import { sendError } from './protocol.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { catalogLocked, createSqliteEngine } from './sqlite-engine.ts'
import { fileIdentity, openSqliteFile } from './sqlite-file.ts'

/*
 * The thread that has the catalog file open. Whole calls are carried out here, not single statements: a transaction
 * is over within a millisecond even if the event loop of the process is busy, and no other process waits for it.
 */

interface OpenCatalog {
  readonly catalog: SqlCatalog
  readonly migrated: Migrated
  readonly identity: string | null
  close(): Promise<void>
}

if (parentPort === null) throw new TypeError('this file is the start of a worker thread')
const port = parentPort
// the one who starts this thread is of the same version: it sends what the type says
const options: ThreadOptions = workerData

/** The call that is being carried out: calls take turns, so there is one. */
const moment = {
  nowMs: null as number | null,
  leaseNowMs: null as number | null,
  deadlineMs: performance.now() + options.waitMs,
}

try {
  const opened = await open()
  send({ kind: 'opened', catalogId: opened.migrated.catalogId, applied: opened.migrated.applied })
  serve(opened)
} catch (error) {
  send({ kind: 'broken', error: sendError(error) })
}

async function open(): Promise<OpenCatalog> {
  const engine = createSqliteEngine({
    leaseNowMs: () => moment.leaseNowMs ?? Date.now(),
    deadlineMs: () => moment.deadlineMs,
  })
  const clock = { now: () => moment.nowMs ?? Date.now() }
  const mustExist = options.expectedId !== null
  const connection = await openSqliteFile(options.file, { mustExist, deadlineMs: moment.deadlineMs }).catch(
    (error) => {
      throw engine.translate(error) ?? error
    },
  )
  const db = new Kysely<Tables>({ dialect: createSqliteDialect(connection) })
  const session = createSession(db, engine, clock)
  try {
    const migrated = await migrate(session)
    if (mustExist && migrated.catalogId !== options.expectedId) {
      throw new AppError('CATALOG_MISMATCH', 'another catalog was put in the place of this one', {
        hint: 'put the catalog back, or restart every process on the new one',
      })
    }
    return {
      catalog: createSqlCatalog(session),
      migrated,
      identity: fileIdentity(options.file),
      close: () => db.destroy(),
    }
  } catch (error) {
    connection.close()
    throw error
  }
}

function serve(opened: OpenCatalog): void {
  let last = Promise.resolve()
  port.on('message', (message: ToThread) => {
    const receivedMs = performance.now()
    last = last.then(async () => {
      if (message.kind === 'call') return await answer(opened, message.call, receivedMs)
      await opened.close()
      port.close()
    })
  })
}

async function answer(opened: OpenCatalog, call: Call, receivedMs: number): Promise<void> {
  moment.nowMs = call.nowMs
  moment.leaseNowMs = call.leaseNowMs
  moment.deadlineMs = receivedMs + call.waitMs
  try {
    // those before it have used up the time: their caller has been told, or soon will be
    if (performance.now() > moment.deadlineMs) throw catalogLocked()
    if (fileIdentity(options.file) !== opened.identity) return await abandon(opened, call)
    send({ kind: 'answer', id: call.id, value: await carryOut(opened.catalog, call) })
  } catch (error) {
    send({ kind: 'refusal', id: call.id, error: sendError(error) })
  }
}

/** What is written into a file that has no name any more is lost: better to say so. */
async function abandon(opened: OpenCatalog, call: Call): Promise<void> {
  const error = sendError(
    new AppError('CATALOG_UNAVAILABLE', 'the catalog file was removed or replaced while it was open', {
      hint: 'put the catalog file back, or restart every process on the new one',
    }),
  )
  send({ kind: 'refusal', id: call.id, error })
  send({ kind: 'broken', error })
  await opened.close()
  port.close()
}

async function carryOut(catalog: SqlCatalog, call: Call): Promise<unknown> {
  const [name, method] = call.path.split('.')
  const owner: unknown = method === undefined ? catalog : Reflect.get(catalog, name ?? '')
  const found: unknown = Object(owner)[method ?? name ?? '']
  if (typeof found !== 'function') throw new TypeError(`a catalog has no method ${call.path}`)
  return await found.apply(owner, [...call.args])
}

function send(message: FromThread): void {
  port.postMessage(message)
}
