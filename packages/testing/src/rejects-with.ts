import assert from 'node:assert/strict'
import type { ErrorCode } from '@holdfast/core'
import { AppError } from '@holdfast/core'

/** Requires that the promise rejects with an AppError of this code, and returns it. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise
  } catch (error) {
    return requireCode(code, error)
  }
  return assert.fail(`expected a rejection with ${code}`)
}

/** Requires that the call throws an AppError of this code, and returns it. */
export function throwsWith(code: ErrorCode, call: () => unknown): AppError {
  try {
    call()
  } catch (error) {
    return requireCode(code, error)
  }
  return assert.fail(`expected ${code} to be thrown`)
}

function requireCode(code: ErrorCode, error: unknown): AppError {
  assert.ok(error instanceof AppError, `expected ${code}, got ${String(error)}`)
  assert.equal(error.code, code, `expected ${code}, got ${error.code}: ${error.message}`)
  return error
}
