import { throwIfAborted } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { ownName } from '../own-names.ts'
import { locationOf } from '../restore/server-access.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions } from '../tag.ts'
import { exchangeLockOf, lockLive, withSession } from './access.ts'
import { isOpen, readJournal, readPosition } from './journal.ts'
import type { OwnSchema } from './list-own-schemas.ts'
import { listOwnSchemas } from './list-own-schemas.ts'
import { dropOwnSchema } from './own-schema.ts'
import { runAction } from './run-action.ts'
import { takeBack } from './run-steps.ts'

/**
 * Drops what restores, undos and drills have left on a server and nobody will come back for; see the driver's
 * `removeLeftovers`. What a swap keeps aside is never among it. One that cannot be dropped keeps none of the others; if
 * that is all there is, rejects with the reason.
 */
export async function removeLeftovers(
  parts: MysqlParts,
  isOver: (operationId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return withSession(openSession(parts.connection, { schema: null, signal }), async (session) => {
    const removed: string[] = []
    const failures: unknown[] = []
    // what is begun comes first: it may need what would be dropped
    const found = (await listOwnSchemas(session)).toSorted((one, other) => rankOf(one) - rankOf(other))
    for (const own of found) {
      throwIfAborted(signal)
      if (!(await isOver(own.operationId))) continue
      try {
        if (await remove(parts, session, own)) removed.push(locationOf(parts.connection, own.name))
      } catch (error) {
        if (session.lost.aborted) throw error
        failures.push(error)
      }
    }
    if (removed.length === 0 && failures.length > 0) throw failures[0]
    return removed
  })
}

function rankOf({ kind }: OwnSchema): number {
  return ['undone', 'old', 'new', 'drill'].indexOf(kind)
}

async function remove(parts: MysqlParts, session: Session, own: OwnSchema): Promise<boolean> {
  const { name, kind, operationId } = own
  if (kind === 'old' || kind === 'undone') return removeExchanged(parts, session, own)
  // what could not be taken back yet goes back to there
  if (isOpen(await readPosition(session, ownName('old', operationId)))) return false
  await endSessions(session, operationId)
  return dropOwnSchema(session, name)
}

async function removeExchanged(parts: MysqlParts, session: Session, own: OwnSchema): Promise<boolean> {
  const { name, operationId } = own
  // an undo works under the id of its restore, which is over
  if (await isAtWork(session, operationId)) return false
  if (isOpen(await readPosition(session, name))) return takeBackIfNobodyDoes(parts, session, own)
  return (await isKept(session, own)) ? false : dropOwnSchema(session, name)
}

async function isAtWork(session: Session, operationId: string): Promise<boolean> {
  const [row] = await session.query<{ readonly holder: unknown }>('SELECT IS_USED_LOCK(?) AS holder', [
    exchangeLockOf(operationId),
  ])
  return row?.holder !== null
}

/** What a swap replaced is for its ticket to remove; all else that an exchange leaves has nothing in it that counts. */
async function isKept(session: Session, { name, kind }: OwnSchema): Promise<boolean> {
  const position = await readPosition(session, name)
  if (kind !== 'old' || position?.direction !== 'done') return false
  return (await readJournal(session, name)).replaced !== null
}

/** An exchange in the middle of which a worker was lost for good. */
async function takeBackIfNobodyDoes(
  parts: MysqlParts,
  session: Session,
  { name, operationId }: OwnSchema,
): Promise<boolean> {
  const { live } = await readJournal(session, name)
  if (!(await lockLive(session, live, 0))) return false
  try {
    if (!isOpen(await readPosition(session, name))) return false
    await takeBack({ parts, operationId, live, run: runAction }, name, session)
    return true
  } finally {
    await session.query('DO RELEASE_ALL_LOCKS()').catch(() => {})
  }
}
