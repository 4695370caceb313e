import type { MysqlParts } from '../mysql-parts.ts'
import { ownName } from '../own-names.ts'
import { openBounded, withExclusive, withSession } from './access.ts'
import { isOpen, readJournal, readPosition } from './journal.ts'
import { dropOwnSchema, ownerOf } from './own-schema.ts'
import { runAction } from './run-action.ts'
import { takeBack } from './run-steps.ts'

/** Drops a staged schema; see the driver's `discardStaged`. A swap that began with it and did not end is taken back. */
export async function discardStaged(parts: MysqlParts, operationId: string): Promise<void> {
  const [shadow, aside] = [ownName('new', operationId), ownName('old', operationId)]
  const live = await withSession(openBounded(parts), async (session) => {
    const isBegun = (await ownerOf(session, aside)) !== null && isOpen(await readPosition(session, aside))
    return isBegun ? (await readJournal(session, aside)).live : (parts.connection.database ?? '')
  })
  const access = { parts, operationId, live, run: runAction }
  await withExclusive(access, async (session) => {
    const isOurs = (await ownerOf(session, aside)) !== null
    if (isOurs && isOpen(await readPosition(session, aside))) await takeBack(access, aside, session)
    await dropOwnSchema(session, shadow)
  })
}
