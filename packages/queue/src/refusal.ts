import type { Failure } from '@holdfast/core'
import { UnrecoverableError } from 'bullmq'

/** Fails a job for good, with a reason that the dashboard shows. */
export function refusal({ code, detail, hint }: Failure): UnrecoverableError {
  const error = new UnrecoverableError(hint === null ? `${code}: ${detail}` : `${code}: ${detail} (${hint})`)
  // the dashboard shows the stack too, and ours says nothing about the job
  error.stack = error.message
  return error
}
