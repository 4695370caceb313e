import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'
import { endSessions } from '../tag.ts'
import type { ServerAccess } from './maintenance.ts'
import { openMaintenance, withSession } from './maintenance.ts'
import type { Renaming } from './rename-databases.ts'
import { renameDatabases } from './rename-databases.ts'

/** What looking at the server tells: it has happened, with this result, or it is still to be done. */
export type Outlook<Result> =
  | { readonly isDone: true; readonly result: Result }
  | { readonly isDone: false; readonly renamings: readonly Renaming[] }

/** How long the end of the server's work for us is waited for. */
const SETTLED_WITHIN_MS = 10_000
/** How long a server may be away when only looking at it can tell whether something has happened. */
const DOUBT_MS = 120_000
const POLL_MS = 100

/**
 * Renames databases unless that has happened already, and tells which. It can be repeated after a crash at any
 * moment: `look` judges by oids and names alone, after what an earlier attempt left on the server was ended.
 */
export async function changeNames<Result>(
  access: ServerAccess,
  look: (session: Session) => Promise<Outlook<Result>>,
  confirm: () => Promise<void>,
  signal: AbortSignal,
): Promise<Result> {
  const before = await withSession(openMaintenance(access, signal), async (session) => {
    await endLeftovers(session, access.applicationName)
    return look(session)
  })
  if (before.isDone) return before.result
  let isAllowed = false
  let pid = 0
  const hooks = {
    onSession: (number: number) => {
      pid = number
    },
    confirm: async () => {
      await confirm()
      isAllowed = true
    },
  }
  try {
    await renameDatabases(access, before.renamings, hooks, signal)
  } catch (error) {
    const after = isAllowed ? await lookAfter(access, look, pid) : before
    if (after.isDone) return after.result
    throw error
  }
  const after = await lookAfter(access, look, pid)
  if (after.isDone) return after.result
  throw new Error('databases were renamed and do not bear their new names')
}

/** Ends what works under our tag, and waits until it has ended. */
export async function endLeftovers(session: Session, tag: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < SETTLED_WITHIN_MS; waitedMs += POLL_MS) {
    if ((await endSessions(session, tag)) === 0) return
    await delay(POLL_MS)
  }
}

/** A commit whose answer was lost, or a cancellation in its midst: nobody may be told anything before this is known. */
async function lookAfter<Result>(
  access: ServerAccess,
  look: (session: Session) => Promise<Outlook<Result>>,
  pid: number,
): Promise<Outlook<Result>> {
  const until = AbortSignal.timeout(DOUBT_MS)
  for (;;) {
    try {
      return await withSession(openMaintenance(access, until), async (session) => {
        await endSession(session, access.applicationName, pid)
        return look(session)
      })
    } catch (error) {
      if (until.aborted) throw inDoubt(error)
      if (!(error instanceof AppError) || !error.retryable) throw error
      await delay(10 * POLL_MS)
    }
  }
}

function inDoubt(cause: unknown): AppError {
  return new AppError(
    'OUTCOME_UNKNOWN',
    'nobody can tell whether the databases were exchanged: the server is away',
    {
      hint: 'the destination holds the old or the new data, never a mixture: ask again when the server is back',
      cause,
    },
  )
}

/** Only this one: others of the operation may be those of a worker that has taken it over. */
async function endSession(session: Session, tag: string, pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < SETTLED_WITHIN_MS; waitedMs += POLL_MS) {
    const rows = await session.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2',
      [pid, tag],
    )
    if (rows.length === 0) return
    await delay(POLL_MS)
  }
}
