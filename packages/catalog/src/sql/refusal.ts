import { AppError, ERROR_CODES } from '@holdfast/core/domain'

const REFUSAL = /^([A-Z_]+): (.+)$/

/** The error that a trigger of the migrations names in its message; null for any other message. */
export function toRefusal(message: string, cause: unknown): AppError | null {
  const [, name, text] = REFUSAL.exec(message) ?? []
  const code = ERROR_CODES.find((known) => known === name)
  return code === undefined || text === undefined ? null : new AppError(code, text, { cause })
}

/** What the index that allows one running operation per database means to whoever meets it. */
export function oneRunningOnly(cause: unknown): AppError {
  return new AppError('TARGET_BUSY', 'another operation is running on this database', { cause })
}
