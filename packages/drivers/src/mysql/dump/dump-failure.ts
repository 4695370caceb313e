import { AppError, hasCode, ToolFailure } from '@holdfast/core'
import { errnoInOutput, failureOfTool } from '../tool-failure.ts'

const INVALID_VIEW = 1356
const CONNECTION_LOST = 2013
/** Tables and programs that were there when the program listed them. */
const GONE = [1146, 1051, 1109, 1305, 1360, 1539]

/** Why a dump program failed: like {@link failureOfTool}, but with what it means in the middle of a dump. */
export function dumpFailure(error: unknown): AppError {
  const failure = failureOfTool(error, 'the dump program')
  const errno = errnoOfTool(error)
  if (errno === INVALID_VIEW) {
    return new AppError('DATABASE_INVALID', failure.message, { cause: failure.cause, hint: REPAIR })
  }
  if (errno !== null && GONE.includes(errno)) {
    return new AppError('DATABASE_CHANGED', `${failure.message}: it was dropped or renamed during the dump`, {
      cause: failure.cause,
      hint: QUIETER,
    })
  }
  if (errno === CONNECTION_LOST) {
    return new AppError(failure.code, failure.message, { cause: failure.cause, hint: PAUSED })
  }
  if (!hasCode(failure, 'DATABASE_CHANGED')) return failure
  return new AppError('DATABASE_CHANGED', failure.message, { cause: failure.cause, hint: QUIETER })
}

/** What to do about views that nobody can select from. */
export const REPAIR = 'no program can dump an invalid view: repair or drop it, or leave it out with a filter'

/** What to do about definitions that change during a dump. */
export const QUIETER =
  'back up when nobody changes tables or programs, or leave out temporary tables with a filter'

/** MariaDB's program does not ask for more patience, as MySQL's does. */
const PAUSED =
  'the server ends a dump whose output nobody takes for net_write_timeout seconds: raise it there if storage pauses for so long'

function errnoOfTool(error: unknown): number | null {
  const failure = error instanceof AppError ? error.cause : error
  return failure instanceof ToolFailure ? errnoInOutput(failure.exit.stderrTail) : null
}
