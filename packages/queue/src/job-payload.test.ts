import assert from 'node:assert/strict'
import { AppError, isUuid } from '@holdfast/core'
import { throwsWith } from '@holdfast/testing'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { parseJobPayload, stamped } from './job-payload.ts'

const ID = '01a1fa7b-71cf-7f9d-a1b0-ca0cea528667'

describe('parseJobPayload', () => {
  it('knows a job that carries an accepted operation', () => {
    assert.deepEqual(parseJobPayload('backup', { v: 1, operationId: ID }), {
      kind: 'accepted',
      operationId: ID,
    })
  })

  it('knows a request of another producer, before and after a worker has stamped it', () => {
    const payload = { v: 1, target: 'orders' } as const
    const before = parseJobPayload('backup', payload)
    assert.deepEqual(before, { kind: 'direct', request: { type: 'backup', payload }, operationId: null })
    assert.ok(before.kind === 'direct')
    const after = parseJobPayload('backup', stamped(before.request, ID))
    assert.ok(after.kind === 'direct')
    assert.equal(after.operationId, ID)
  })

  it('tells a stamped request for retention, which has nothing else in it, from an accepted operation', () => {
    const before = parseJobPayload('retention', { v: 1 })
    assert.ok(before.kind === 'direct')
    const after = parseJobPayload('retention', stamped(before.request, ID))
    assert.equal(after.kind, 'direct')
  })

  it('refuses a URL as the destination of a restore, without repeating it', () => {
    const error = throwsWith('INVALID_REQUEST', () =>
      parseJobPayload('restore', { v: 1, backup: 'b', into: { url: 'sqlite://canary' } }),
    )
    assert.doesNotMatch(error.message, /canary/)
  })

  it('either understands what it is given or says INVALID_REQUEST', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('backup', 'restore', 'verify', 'retention'),
        fc.jsonValue(),
        (type, data) => {
          try {
            const parsed = parseJobPayload(type, data)
            assert.ok(parsed.kind === 'direct' || isUuid(parsed.operationId))
          } catch (error) {
            assert.ok(error instanceof AppError && error.code === 'INVALID_REQUEST')
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
