import type { Operation } from '@holdfast/client'
import type { Session } from '../session.ts'
import { followOperation, requireCompleted } from './follow-operation.ts'

/** Options of every command that asks for work. */
export interface WorkCommandOptions {
  /** False after `--no-wait`. */
  readonly wait: boolean
  readonly idempotencyKey?: string
}

/**
 * Shows an accepted operation: at once with `--no-wait`, otherwise when it has ended. A failed or cancelled one
 * rejects with its reason, after its document was printed for programs.
 */
export async function carryOut(
  session: Session,
  accepted: Operation,
  { wait }: Pick<WorkCommandOptions, 'wait'>,
  describe: (operation: Operation) => string | Promise<string>,
): Promise<void> {
  if (accepted.coalesced) session.note(`an equal request is under way: this is operation ${accepted.id}`)
  if (!wait) {
    session.show(accepted, () => accepted.id)
    session.note(`accepted; follow it with: holdfast operation watch ${accepted.id}`)
    return
  }
  const operation = await followOperation(session, accepted.id)
  if (session.json) session.showLine(operation)
  requireCompleted(operation)
  if (session.json) return
  const text = await describe(operation)
  session.show(operation, () => text)
}
