import type { NextInLine } from '@holdfast/core'

/** A job that belongs to an operation: waiting, parked or running (`live`), or over. */
export type CarriedJob = 'live' | 'finished'

/** True if another producer chose the id of the job that carries the operation. */
export function isForeign(operation: Pick<NextInLine, 'id' | 'jobId'>): boolean {
  return operation.jobId !== operation.id
}

/**
 * Judges the answer to `HMGET <job> timestamp finishedOn data`. Ids that BullMQ counts up are given anew after Redis
 * lost its data, so a job under another producer's id must also name the operation.
 */
export function judgeJob(operationId: string, jobId: string, answer: unknown): CarriedJob | null {
  const [error, fields] = Array.isArray(answer) ? answer : []
  if (error instanceof Error) throw error
  if (!Array.isArray(fields)) return null
  const [timestamp, finishedOn, data] = fields
  if (typeof timestamp !== 'string') return null
  if (jobId !== operationId && !namesOperation(data, operationId)) return null
  return typeof finishedOn === 'string' ? 'finished' : 'live'
}

function namesOperation(data: unknown, operationId: string): boolean {
  return typeof data === 'string' && data.includes(`"operationId":"${operationId}"`)
}
