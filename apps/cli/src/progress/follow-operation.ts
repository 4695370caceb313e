import type { Operation } from '@holdfast/client'
import { CliError } from '../cli-error.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import type { ProgressDisplay } from './progress-line.ts'
import { createProgressDisplay, NO_PROGRESS, stepOf } from './progress-line.ts'

/** Waits for the end of an operation, showing its progress. Rejects if the person leaves: the operation goes on. */
export async function followOperation(
  session: Session,
  operationId: string,
  /** `clear` makes room for a line on the terminal. */
  onChange?: (operation: Operation, clear: () => void) => void,
): Promise<Operation> {
  const { host, client } = session
  const display = progressFor(session)
  try {
    return await client.operations.waitFor(operationId, {
      signal: host.interrupted,
      // with nobody to look at it, progress need not be asked for
      ...((display !== NO_PROGRESS || onChange !== undefined) && {
        onProgress(operation: Operation) {
          if (!isFinished(operation)) display.show(stepOf(operation))
          onChange?.(operation, display.clear)
        },
      }),
    })
  } catch (error) {
    if (!host.interrupted.aborted) throw error
    display.end()
    throw interrupted(operationId)
  } finally {
    display.end()
  }
}

/** Where this session shows progress: nowhere if it speaks JSON. */
export function progressFor({ json, host }: Session): ProgressDisplay {
  return json ? NO_PROGRESS : createProgressDisplay(host.stderr, host.env.TERM === 'dumb', host.now)
}

/** Returns the operation if it completed; otherwise throws what it ended with. */
export function requireCompleted(operation: Operation): Operation {
  if (operation.state === 'completed') return operation
  const { id, type, state, error } = operation
  const isCancelled = state === 'cancelled'
  throw new CliError({
    code: error?.code ?? (isCancelled ? 'CANCELLED' : 'INTERNAL'),
    detail: isCancelled
      ? `the ${type} was cancelled`
      : `the ${type} failed: ${error?.detail ?? 'no reason was given'}`,
    hint: error?.hint ?? null,
    exitCode: isCancelled ? EXIT.cancelled : EXIT.failed,
    operationId: id,
  })
}

export function isFinished({ state }: Operation): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

function interrupted(operationId: string): CliError {
  return new CliError({
    code: 'INTERRUPTED',
    detail: `stopped watching; operation ${operationId} goes on`,
    hint: `holdfast operation watch ${operationId}, or holdfast operation cancel ${operationId}`,
    exitCode: EXIT.interrupted,
    operationId,
  })
}
