import type { Operation } from '@holdfast/client'
import { followOperation, requireCompleted } from '../progress/follow-operation.ts'
import type { Session } from '../session.ts'
import { operationTable } from './list.ts'

/** Follows an operation to its end; programs get a line of JSON for each change. */
export async function watchOperation(session: Session, id: string): Promise<void> {
  const onChange = session.json ? (operation: Operation) => session.showLine(operation) : undefined
  const operation = requireCompleted(await followOperation(session, id, onChange))
  if (!session.json) session.show(operation, () => operationTable([operation]))
}
