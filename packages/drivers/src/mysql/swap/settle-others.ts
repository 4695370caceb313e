import type { Session } from '../session.ts'
import type { Access } from './access.ts'
import { isOpen, readJournal, readPosition } from './journal.ts'
import { listOwnSchemas } from './list-own-schemas.ts'
import { ownerOf } from './own-schema.ts'
import { takeBack } from './run-steps.ts'

/**
 * Takes back exchanges of the same destination that others have begun and not ended: whoever has the lock of it finds
 * it whole. `own` is the journal of the caller, which is left as it is.
 */
export async function settleOthers(access: Access, session: Session, own: string | null): Promise<void> {
  for (const { name, kind } of await listOwnSchemas(session)) {
    if (name === own || (kind !== 'old' && kind !== 'undone')) continue
    if ((await ownerOf(session, name)) === null || !isOpen(await readPosition(session, name))) continue
    if ((await readJournal(session, name)).live === access.live) await takeBack(access, name, session)
  }
}
