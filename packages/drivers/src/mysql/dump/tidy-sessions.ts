import type { MysqlParts } from '../mysql-parts.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions } from '../tag.ts'

/**
 * Ends what still works on the server for an operation, as far as that is possible in a short time: the server may be
 * what failed. Never rejects.
 */
export async function tidySessions(
  { connection, patience }: Pick<MysqlParts, 'connection' | 'patience'>,
  operationId: string,
): Promise<void> {
  const signal = AbortSignal.timeout(patience.tidyWithinMs)
  let session: Session | null = null
  try {
    session = await openSession(connection, { schema: null, signal })
    await endSessions(session, operationId)
  } catch {
    // why the dump failed is known by who asked for this
  } finally {
    await session?.close()
  }
}
