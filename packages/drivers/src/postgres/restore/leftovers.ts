import { throwIfAborted } from '@holdfast/core'
import { readOwnName } from '../../client-server/own-names.ts'
import type { Session } from '../session.ts'
import { tagOf } from '../tag.ts'
import { endLeftovers } from './change-names.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { locationOf } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openMaintenance, withSession } from './maintenance.ts'

/** What others have made is for them to remove: the user may not. */
const OURS = `
  SELECT datname::text AS name FROM pg_database
  WHERE datname ~ '^holdfast_(new|undone|drill)_' AND pg_has_role(datdba, 'USAGE') ORDER BY datname`

/**
 * Drops what restores, undos and drills have left on a server and nobody will come back for. What a swap keeps aside
 * is never among it. Returns where it was. One that cannot be dropped keeps none of the others; if that is all there
 * is, rejects with the reason.
 */
export async function removeLeftovers(
  access: ServerAccess,
  isOver: (operationId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return withSession(openMaintenance(access, signal), async (session) => {
    const removed: string[] = []
    const failures: unknown[] = []
    for (const { name, operationId } of await findLeftovers(session)) {
      throwIfAborted(signal)
      if (!(await isOver(operationId))) continue
      try {
        await endLeftovers(session, tagOf(operationId))
        if (await dropOwnDatabase(access, session, name, null, signal)) removed.push(locationOf(access, name))
      } catch (error) {
        if (session.lost.aborted) throw error
        failures.push(error)
      }
    }
    if (removed.length === 0 && failures.length > 0) throw failures[0]
    return removed
  })
}

async function findLeftovers(
  session: Session,
): Promise<readonly { readonly name: string; readonly operationId: string }[]> {
  const rows = await session.query<{ readonly name: string }>(OURS)
  return rows.flatMap(({ name }) => {
    const own = readOwnName(name)
    return own === null || own.kind === 'old' ? [] : [{ name, operationId: own.operationId }]
  })
}
