import type { Operation, Replaced } from '@holdfast/client'
import { requireConfirmation } from '../confirm.ts'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import type { Session } from '../session.ts'
import { momentText } from '../text/units.ts'

export interface UndoOptions extends WorkCommandOptions {
  readonly yes?: boolean
}

/** Puts back what a restore replaced. */
export async function undoRestore(session: Session, id: string, options: UndoOptions): Promise<void> {
  const { client, host } = session
  const { yes, wait, idempotencyKey } = options
  if (!yes) {
    const restore = await client.operations.get(id, { signal: host.interrupted })
    await requireConfirmation(session, { ...questionOf(restore, await findReplaced(session, id)), yes })
  }
  const accepted = await client.operations.undo(id, { idempotencyKey, signal: host.interrupted })
  await carryOut(session, accepted, { wait }, ({ result }) => {
    const putBack: unknown = result?.putBack
    return `restore ${id} is undone${typeof putBack === 'string' ? `: what was kept at ${putBack} is back` : ''}`
  })
}

async function findReplaced({ client, host }: Session, id: string): Promise<Replaced | null> {
  const kept = await client.replaced.list({ signal: host.interrupted })
  return kept.find(({ operationId }) => operationId === id) ?? null
}

function questionOf({ target, id }: Operation, replaced: Replaced | null) {
  const since = replaced === null ? '' : ` of ${momentText(replaced.createdAt)}`
  return {
    action: `give up what is in ${target ?? 'the destination'} now and put back what restore ${id}${since} replaced`,
    expected: target ?? 'undo',
  }
}
