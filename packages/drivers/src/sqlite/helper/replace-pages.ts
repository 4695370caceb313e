import { setTimeout } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { HelperFailure, isSqliteError } from './failure.ts'
import { harden, pin } from './open-source.ts'

const PAGES_PER_STEP = 1000
const RETRY_MS = 2

/** How the pages of a live database are replaced by those of another file. */
export interface Replacement {
  /** A finished copy in rollback mode that nobody else has open. */
  readonly source: string
  /** As better-sqlite3 opens it. */
  readonly destination: string
  readonly lockWaitMs: number
  /** Runs while the destination is locked for writing by us and nothing has changed. */
  readonly whileLocked: () => Promise<'go' | 'stop'>
  readonly onProgress: (pages: number, totalPages: number) => void
}

/**
 * Copies every page of `source` into the live database through the backup API, in one transaction: connections of
 * other processes see the old database until it commits and the new one from then on, and a crash leaves one of them.
 *
 * A backup takes the destination's lock with its first step even if that copies no page, and keeps it to the end. So
 * steps of no pages hold the lock for as long as `whileLocked` takes.
 */
export async function replacePages(replacement: Replacement): Promise<'replaced' | 'stopped'> {
  const source = new Database(replacement.source, { readonly: true, fileMustExist: true })
  try {
    harden(source)
    pin(source)
    const giveUpAt = performance.now() + replacement.lockWaitMs
    while (!(await attempt(source, replacement))) {
      if (performance.now() > giveUpAt) {
        throw new HelperFailure(
          'DATABASE_LOCKED',
          'another process holds a lock on the destination',
          'try again when the transaction that holds it has ended; nothing was changed',
        )
      }
      await setTimeout(RETRY_MS)
    }
    return 'replaced'
  } catch (error) {
    if (error instanceof Stopped) return 'stopped'
    throw error
  } finally {
    source.close()
  }
}

class Stopped extends Error {}

/** False if the lock could not be had: better-sqlite3 then resolves without having copied anything. */
async function attempt(source: Database.Database, replacement: Replacement): Promise<boolean> {
  let decision: 'none' | 'pending' | 'go' | Error = 'none'
  const decide = async () => {
    try {
      decision = (await replacement.whileLocked()) === 'go' ? 'go' : new Stopped('stopped')
    } catch (error) {
      decision = error instanceof Error ? error : new Error(String(error))
    }
  }
  try {
    const { totalPages } = await source.backup(replacement.destination, {
      progress: ({ totalPages: total, remainingPages: remaining }) => {
        if (decision === 'none') {
          decision = 'pending'
          void decide()
        }
        if (decision === 'pending') return pause()
        if (decision instanceof Error) throw decision
        replacement.onProgress(total - remaining, total)
        return PAGES_PER_STEP
      },
    })
    return totalPages > 0
  } catch (error) {
    if (isSqliteError(error, 'SQLITE_BUSY') && decision === 'none') return false
    throw error
  }
}

/** Zero pages for the next step, after a moment: the steps follow each other without a pause of their own. */
function pause(): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
  return 0
}
