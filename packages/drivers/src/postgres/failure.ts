import { AppError } from '@holdfast/core'
import { DatabaseError } from 'pg'
import { meaningOfState } from './sql-state.ts'
import { unreachable } from './unreachable.ts'

export { failureOfTool } from './tool-failure.ts'

/** Classes of SQLSTATE whose messages may quote values: data, constraints, what triggers raise. */
const QUOTING = ['21', '22', '23', 'P0']

/** What a server said, as far as a log may have it: no detail, no query, and no message that could quote rows. */
export class ServerRefusal extends Error {
  readonly sqlState: string

  constructor(error: DatabaseError) {
    const state = error.code ?? 'XX000'
    const said = QUOTING.includes(state.slice(0, 2)) ? '' : `: ${error.message}`
    super(`SQLSTATE ${state} from ${error.routine ?? 'the server'}${said}`)
    this.name = 'ServerRefusal'
    this.sqlState = state
  }
}

/**
 * What a server or a connection answered, as an {@link AppError}; whatever was not foreseen comes back as it is. The
 * message names states and identifiers, never values.
 */
export function toFailureOf(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (error instanceof DatabaseError) return refusal(error)
  return unreachable(error) ?? error
}

/** The SQLSTATE behind a failure, or null if no server said it. */
export function sqlStateOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null
  if (error instanceof ServerRefusal) return error.sqlState
  return error instanceof AppError && error.cause !== undefined ? sqlStateOf(error.cause) : null
}

function refusal(error: DatabaseError): AppError {
  const { schema, table } = error
  const { code, message, ...options } = meaningOfState(error.code ?? 'XX000', error.message)
  const where = table === undefined ? '' : ` (table ${schema === undefined ? '' : `${schema}.`}${table})`
  return new AppError(code, `${message}${where}`, { ...options, cause: new ServerRefusal(error) })
}
