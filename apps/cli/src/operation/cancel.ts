import type { Operation } from '@holdfast/client'
import { CliError } from '../cli-error.ts'
import { EXIT } from '../exit-codes.ts'
import { followOperation } from '../progress/follow-operation.ts'
import type { Session } from '../session.ts'

/** Cancels an operation and waits until it has ended. */
export async function cancelOperation(
  session: Session,
  id: string,
  { wait }: { readonly wait: boolean },
): Promise<void> {
  const asked = await session.client.operations.cancel(id, { signal: session.host.interrupted })
  const operation = wait ? await followOperation(session, id) : asked
  session.show(operation, () => textOf(operation))
  if (wait && operation.state !== 'cancelled') throw tooLate(operation)
}

function textOf({ id, type, state }: Operation): string {
  if (state === 'cancelled') return `${type} ${id} is cancelled`
  return state === 'completed' || state === 'failed'
    ? `${type} ${id} is ${state}`
    : `${type} ${id} was asked to end; it is ${state} until its worker has cleaned up`
}

function tooLate({ id, type, state }: Operation): CliError {
  return new CliError({
    code: 'OPERATION_FINISHED',
    detail: `the ${type} had ended as ${state} before it could be cancelled`,
    exitCode: EXIT.conflict,
    operationId: id,
  })
}
