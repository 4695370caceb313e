import assert from 'node:assert/strict'
import type { Acquisition, NextInLine, Operation } from '@holdfast/core'
import type { CatalogBench } from './bench.ts'
import { LEASE_MS, unused } from './bench.ts'

/** Asks for the lock, as a worker that has not asked before. */
export function ask(bench: () => CatalogBench, { id }: Pick<Operation, 'id'>): Promise<Acquisition> {
  return bench().catalog.operations.acquire({ operationId: id, token: unused('token'), leaseMs: LEASE_MS })
}

/** Asks for the lock, and requires that the operation is parked. */
export async function mustWait(bench: () => CatalogBench, operation: Pick<Operation, 'id'>): Promise<void> {
  const answer = await ask(bench, operation)
  assert.ok(!answer.granted && 'retryInMs' in answer)
  assert.equal((await bench().catalog.operations.get(operation.id)).state, 'waiting')
}

/** What is told of an operation that is next in line. */
export function nameOf({ id, type, jobId }: Operation): NextInLine {
  return { id, type, jobId }
}
