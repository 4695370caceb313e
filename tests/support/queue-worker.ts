import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCatalog } from '@holdfast/catalog'
import type {
  Catalog,
  Failure,
  Logger,
  OperationContext,
  OperationEnd,
  OperationHandler,
} from '@holdfast/core'
import { AppError, cancellation, hasCode, QUEUE_NAMES, systemClock } from '@holdfast/core'
import { startOperationWorkers } from '@holdfast/queue'
import type { Task } from './queue-fleet.ts'
import { acceptDeps, factsOfNothing } from './queue-fleet.ts'

// A worker process whose handlers only note when they ran: what it does is the queue's business alone.

const { CATALOG_URL = '', REDIS_URL = '', RECORD_FILE = '', LEASE_MS = '', CONCURRENCY = '' } = process.env

const log: Logger = {
  debug: () => undefined,
  info: (fields, message) => process.stdout.write(`${message} ${JSON.stringify(fields)}\n`),
  warn: (fields, message) => process.stdout.write(`${message} ${JSON.stringify(fields)}\n`),
  error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields, describe)}\n`),
}

const handler: OperationHandler = {
  async run(context) {
    record('start', context)
    const task = taskOf(context)
    try {
      for (let done = 0; done < task.ms; done += 10) {
        context.report('working', { bytes: done, totalBytes: task.ms })
        await sleep(10, undefined, { signal: context.signal })
      }
    } catch {
      record('aborted', context)
      throw cancellation(context.signal)
    }
    if (task.throws !== undefined) {
      record('threw', context)
      throw task.throws === 'bug' ? new TypeError('a bug') : new AppError('TARGET_UNREACHABLE', 'not there')
    }
    record('end', context)
    return completed(context)
  },
  async settle(context, failure) {
    record('settle', context)
    return failed(context, failure)
  },
}

const catalog = await openPatiently()
const workers = await startOperationWorkers({
  redisUrl: REDIS_URL,
  catalog,
  accept: acceptDeps(catalog),
  handlers: { backup: handler, restore: handler, verify: handler, retention: handler },
  lockKeyOf: async (operation) => operation.lockKey,
  sweep: async () => ({}),
  concurrency: Number(CONCURRENCY),
  queues: QUEUE_NAMES,
  leaseMs: Number(LEASE_MS),
  clock: systemClock,
  log,
})

process.on('SIGTERM', () => {
  void workers
    .close({ graceMs: 300 })
    .then(() => catalog.close())
    .finally(() => process.exit(0))
})
// the test process is gone: nothing may stay behind
process.on('disconnect', () => process.exit(1))
process.send?.('started')

/** A worker that was frozen in the middle of a write keeps an SQLite catalog locked until it thaws. */
async function openPatiently(): Promise<Catalog> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await openCatalog({ url: CATALOG_URL, clock: systemClock, logger: log })
    } catch (error) {
      if (!hasCode(error, 'CATALOG_UNAVAILABLE') || tries === 5) throw error
    }
  }
}

function record(event: string, { operation, held, takenOver }: OperationContext): void {
  const { id, seq, lockKey, attempts } = operation
  const line = { event, id, seq, lockKey, attempts, takenOver, fence: held.fence, worker: process.pid }
  // one write of one line: whole even when killed, and in order across processes
  appendFileSync(RECORD_FILE, `${JSON.stringify({ ...line, at: Number(process.hrtime.bigint() / 1000n) })}\n`)
}

function taskOf({ operation: { request } }: OperationContext): Task {
  const note = request.type === 'backup' ? request.note : null
  return note === null ? { ms: 20 } : JSON.parse(note)
}

function completed({ operation, held }: OperationContext): OperationEnd {
  const { type, backupId } = operation
  const result = { fence: held.fence, worker: process.pid }
  const backup = type === 'backup' && backupId !== null ? factsOfNothing(backupId) : null
  return { state: 'completed', result, failure: null, backup, replaced: null, undone: null }
}

function failed({ operation }: OperationContext, failure: Failure): OperationEnd {
  return {
    state: failure.code === 'CANCELLED' ? 'cancelled' : 'failed',
    result: null,
    failure,
    backup: operation.type === 'backup' ? { kind: 'failed', failure } : null,
    replaced: null,
    undone: null,
  }
}

function describe(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.stack : value
}
