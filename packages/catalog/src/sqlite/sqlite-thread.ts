import { parentPort, workerData } from 'node:worker_threads'
import { AppError } from '@holdfast/core/domain'
import { Kysely } from 'kysely'
import type { Migrated } from '../migrations/migrate.ts'
import { migrate } from '../migrations/migrate.ts'
import type { Database } from '../sql/engine.ts'
import type { Session } from '../sql/session.ts'
import { createSession } from '../sql/session.ts'
import { createSqlCatalog } from '../sql/sql-catalog.ts'
import type { Tables } from '../sql/tables.ts'
import type { Call, FromThread, ThreadOptions, ToThread } from './protocol.ts'
import { sendError } from './protocol.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { createSqliteEngine } from './sqlite-engine.ts'
import { fileIdentity, openSqliteFile } from './sqlite-file.ts'

/*
 * The thread that has the catalog file open. Whole calls are carried out here, not single statements: a transaction
 * is over within a millisecond even if the event loop of the process is busy, and no other process waits for it.
 * Calls are carried out as they come; their transactions take turns on the one connection, and a call that waits for
 * another process lets those go on that need not.
 */

interface OpenFile {
  readonly db: Database
  readonly migrated: Migrated
  readonly identity: string | null
}

/** What a call is measured by. */
interface Moment {
  readonly nowMs: number | null
  readonly leaseNowMs: number | null
  readonly deadlineMs: number
}

if (parentPort === null) throw new TypeError('this file is the start of a worker thread')
const port = parentPort
// the one who starts this thread is of the same version: it sends what the type says
const options: ThreadOptions = workerData

try {
  const file = await open()
  send({ kind: 'opened', catalogId: file.migrated.catalogId, applied: file.migrated.applied })
  serve(file)
} catch (error) {
  send({ kind: 'broken', error: sendError(error) })
}

async function open(): Promise<OpenFile> {
  const moment = { nowMs: null, leaseNowMs: null, deadlineMs: performance.now() + options.waitMs }
  const mustExist = options.expectedId !== null
  const connection = await openSqliteFile(options.file, { mustExist, deadlineMs: moment.deadlineMs })
  const db = new Kysely<Tables>({ dialect: createSqliteDialect(connection) })
  try {
    const migrated = await migrate(sessionAt(db, moment))
    if (mustExist && migrated.catalogId !== options.expectedId) {
      throw new AppError('CATALOG_MISMATCH', 'another catalog was put in the place of this one', {
        hint: 'put the catalog back, or restart every process on the new one',
      })
    }
    return { db, migrated, identity: fileIdentity(options.file) }
  } catch (error) {
    connection.close()
    throw error
  }
}

function sessionAt(db: Database, moment: Moment): Session {
  const engine = createSqliteEngine({
    leaseNowMs: () => moment.leaseNowMs ?? Date.now(),
    deadlineMs: moment.deadlineMs,
  })
  return createSession(db, engine, { now: () => moment.nowMs ?? Date.now() })
}

function serve(file: OpenFile): void {
  const begun = new Set<Promise<void>>()
  const close = async (): Promise<void> => {
    await Promise.all(begun)
    await file.db.destroy()
    port.close()
  }
  port.on('message', (message: ToThread) => {
    if (message.kind === 'close') return void close()
    if (fileIdentity(options.file) !== file.identity) return void abandon(close)
    const answered = answer(file, message.call).finally(() => begun.delete(answered))
    begun.add(answered)
  })
}

async function answer(file: OpenFile, call: Call): Promise<void> {
  const { nowMs, leaseNowMs, waitMs } = call
  const session = sessionAt(file.db, { nowMs, leaseNowMs, deadlineMs: performance.now() + waitMs })
  try {
    send({ kind: 'answer', id: call.id, value: await carryOut(session, call) })
  } catch (error) {
    send({ kind: 'refusal', id: call.id, error: sendError(error) })
  }
}

/** What is written into a file that has no name any more is lost: better to say so. */
async function abandon(close: () => Promise<void>): Promise<void> {
  const error = new AppError(
    'CATALOG_UNAVAILABLE',
    'the catalog file was removed or replaced while it was open',
    {
      hint: 'put the catalog file back, or restart every process on the new one',
    },
  )
  send({ kind: 'broken', error: sendError(error) })
  await close()
}

async function carryOut(session: Session, call: Call): Promise<unknown> {
  const catalog = createSqlCatalog(session)
  const [name, method] = call.path.split('.')
  const owner: unknown = method === undefined ? catalog : Reflect.get(catalog, name ?? '')
  const found: unknown = Object(owner)[method ?? name ?? '']
  if (typeof found !== 'function') throw new TypeError(`a catalog has no method ${call.path}`)
  return await found.apply(owner, [...call.args])
}

function send(message: FromThread): void {
  port.postMessage(message)
}
