import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { Database, DatabaseTransaction, Engine } from './engine.ts'

/** One open database as the stores use it: errors are translated here, once. */
export interface Session {
  readonly engine: Engine
  readonly clock: Clock
  /** Runs one statement, or reads that need no common moment. */
  run<Result>(work: (db: Database) => Promise<Result>): Promise<Result>
  /** Runs work that may write, in one transaction, from the start again where that is the cure. */
  transact<Result>(work: (trx: DatabaseTransaction) => Promise<Result>): Promise<Result>
}

/** Thrown inside a transaction that met a row changed under it: roll back and begin again. */
export class TryAgain extends Error {}

const MOST_RETRIES = 10

/** Binds the stores to a database. */
export function createSession(db: Database, engine: Engine, clock: Clock): Session {
  return {
    engine,
    clock,
    run: (work) => repeatedly(engine, () => work(db)),
    transact: (work) => repeatedly(engine, () => db.transaction().execute(work)),
  }
}

async function repeatedly<Result>(engine: Engine, work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const delayMs = error instanceof TryAgain ? retryDelayMs(attempt) : engine.retryAfterMs(error, attempt)
      if (delayMs === null) throw translated(engine, error)
      await sleep(delayMs)
    }
  }
}

/** Grows with the attempts and differs between processes, so that they do not meet again; null: give up. */
export function retryDelayMs(attempt: number): number | null {
  // spreading retries needs no seed: nothing that is recorded depends on it
  return attempt > MOST_RETRIES ? null : Math.ceil(Math.random() * 10 * attempt)
}

function translated(engine: Engine, error: unknown): unknown {
  if (error instanceof AppError) return error
  if (error instanceof TryAgain) {
    return new AppError('CATALOG_UNAVAILABLE', 'the catalog is too busy with equal requests', {
      hint: 'try again shortly',
      cause: error,
    })
  }
  return engine.translate(error) ?? error
}
