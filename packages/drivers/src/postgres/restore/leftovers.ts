import { throwIfAborted } from '@holdfast/core'
import { tagOf } from '../tag.ts'
import { endLeftovers } from './change-names.ts'
import { readOwnName } from './database-names.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { locationOf } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openMaintenance, withSession } from './maintenance.ts'

/**
 * Drops what restores, undos and drills have left on a server and nobody will come back for. What a swap keeps aside
 * is never among it. Returns where it was.
 */
export async function removeLeftovers(
  access: ServerAccess,
  isOver: (operationId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return withSession(openMaintenance(access, signal), async (session) => {
    const rows = await session.query<{ readonly name: string }>(
      `SELECT datname::text AS name FROM pg_database WHERE datname ~ '^holdfast_(new|undone|drill)_' ORDER BY datname`,
    )
    const removed: string[] = []
    for (const { name } of rows) {
      throwIfAborted(signal)
      const own = readOwnName(name)
      if (own === null || own.kind === 'old' || !(await isOver(own.operationId))) continue
      await endLeftovers(session, tagOf(own.operationId))
      if (await dropOwnDatabase(access, session, name, null, signal)) removed.push(locationOf(access, name))
    }
    return removed
  })
}
