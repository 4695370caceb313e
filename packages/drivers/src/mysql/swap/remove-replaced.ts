import type { MysqlParts } from '../mysql-parts.ts'
import { ownName } from '../own-names.ts'
import { requirePlace, withExclusive } from './access.ts'
import { isOpen, readPosition } from './journal.ts'
import { dropOwnSchema, ownerOf } from './own-schema.ts'
import { runAction } from './run-action.ts'
import { settleOthers } from './settle-others.ts'
import { readReplaced } from './tickets.ts'

/** Drops what a swap moved aside; see the driver's `removeReplaced`. */
export async function removeReplaced(parts: MysqlParts, ticket: string): Promise<void> {
  const replaced = readReplaced(ticket)
  const { operationId, token } = replaced
  const access = { parts, operationId, live: requirePlace(parts, replaced), run: runAction }
  const aside = ownName('old', operationId)
  await withExclusive(access, async (session) => {
    // an undo that nobody carried on has some of it in the live schema
    await settleOthers(access, session, null)
    if ((await ownerOf(session, aside))?.token !== token) return
    if (isOpen(await readPosition(session, aside))) return
    await dropOwnSchema(session, aside)
  })
}
