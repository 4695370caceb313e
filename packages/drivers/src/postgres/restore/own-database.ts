import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { whileServerAnswers } from '../watch-server.ts'
import type { DatabaseTraits } from './create-database.ts'
import { createDatabaseLike } from './create-database.ts'
import { dropOwnDatabase } from './drop-database.ts'
import type { ServerAccess } from './maintenance.ts'
import { openMaintenance, withSession } from './maintenance.ts'

/** A database that bears one of our names, on the server of an operation. */
export interface OwnDatabase {
  readonly parts: PostgresParts
  readonly access: ServerAccess
  readonly name: string
}

const AGAIN_AFTER_MS = 250
const DROPPED_WITHIN_MS = 60_000

/**
 * Creates a database and lets `fill` put something into it, as long as the server answers. Resolves with its oid. On
 * any failure it is dropped again and nothing of ours works on the server any more, as far as that can be reached.
 */
export async function makeOwnDatabase<Result>(
  database: OwnDatabase,
  traits: DatabaseTraits,
  fill: (maintenance: Session, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
): Promise<{ readonly oid: number; readonly result: Result }> {
  const { parts, access, name } = database
  return withSession(openMaintenance(access, signal), async (session) => {
    let oid: number | null = null
    const place = { database: session.database, applicationName: access.applicationName }
    try {
      await createDatabaseLike(session, name, traits)
      oid = await oidOf(session, name)
      const result = await whileServerAnswers(parts, place, signal, (watched) => fill(session, watched))
      return { oid, result }
    } catch (error) {
      await removeOwnDatabase(database, oid)
      throw error
    }
  })
}

/**
 * Drops a database with all that works in it, for as long as is allowed. It must be the one with that oid, if it is
 * known: whoever has taken over the operation may have made another. Resolves with false if it is still there. Never
 * rejects.
 */
export async function removeOwnDatabase(
  { parts, access, name }: OwnDatabase,
  oid: number | null,
): Promise<boolean> {
  const signal = AbortSignal.timeout(DROPPED_WITHIN_MS)
  const until = AbortSignal.timeout(parts.patience.tidyWithinMs)
  do {
    try {
      await withSession(openMaintenance(access, signal), (session) =>
        dropOwnDatabase(access, session, name, oid, signal),
      )
      return true
    } catch {
      // a server that starts again gets its chance; what stays is swept as a leftover
      await delay(AGAIN_AFTER_MS)
    }
  } while (!until.aborted)
  return false
}

async function oidOf(session: Session, name: string): Promise<number> {
  const [row] = await session.query<{ readonly oid: number }>(
    'SELECT oid FROM pg_database WHERE datname = $1',
    [name],
  )
  if (row === undefined) throw new Error('a database that was created is gone')
  return row.oid
}
