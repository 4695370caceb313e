import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldLock, Operation } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { describe, it } from 'vitest'
import { keepLease } from './keep-lease.ts'
import { recordingLog } from './testing/index.ts'

const LEASE_MS = 300
const held: HeldLock = { lockKey: 'k', operationId: 'o', token: 't', fence: 1 }

describe('keepLease', () => {
  it('renews three times per lease until it is stopped', async () => {
    const { told, renewals, lease } = start(async () => true)
    await sleep(LEASE_MS * 3)
    lease.stop()
    const count = renewals()
    assert.ok(count >= 5 && count <= 10, `${count} renewals`)
    await sleep(LEASE_MS)
    assert.equal(renewals(), count)
    assert.deepEqual(told, [])
  })

  it('is lost at once when the catalog says so', async () => {
    const { told, renewals } = start(async () => false)
    await sleep(LEASE_MS)
    assert.deepEqual(told, ['lost'])
    assert.equal(renewals(), 1)
  })

  it('outlives a catalog that is away for less than the lease', async () => {
    const backAt = performance.now() + LEASE_MS * 0.7
    const { told, lease } = start(async () => {
      if (performance.now() < backAt) throw new AppError('CATALOG_UNAVAILABLE', 'away')
      return true
    })
    await sleep(LEASE_MS * 2.5)
    lease.stop()
    assert.deepEqual(told, [])
  })

  it.each([
    ['refuses', () => Promise.reject(new AppError('CATALOG_UNAVAILABLE', 'away'))],
    ['never answers', () => new Promise<boolean>(() => undefined)],
  ])('is lost when the lease has passed while the catalog %s', async (_what, renew) => {
    const startedAt = performance.now()
    const { told } = start(renew)
    while (told.length === 0 && performance.now() < startedAt + LEASE_MS * 4) await sleep(5)
    assert.deepEqual(told, ['lost'])
    assert.ok(performance.now() - startedAt >= LEASE_MS)
  })

  it('asks once more after the process was frozen, since nobody may have come', async () => {
    const { told, lease } = start(async () => true)
    const until = performance.now() + LEASE_MS * 3
    while (performance.now() < until);
    await sleep(LEASE_MS)
    lease.stop()
    assert.deepEqual(told, [])
  })

  it('passes on that a person wants it cancelled', async () => {
    const { told, lease } = start(async () => true, true)
    await sleep(LEASE_MS)
    lease.stop()
    assert.equal(told[0], 'cancel')
  })
})

function start(renew: () => Promise<boolean>, cancelRequested = false) {
  const told: string[] = []
  let renewals = 0
  const operation: Operation = {
    ...{ id: 'o', seq: 1, type: 'retention', request: { type: 'retention' }, target: null, backupId: null },
    ...{ lockKey: 'k', state: 'running', phase: null, progress: { bytes: 0 }, result: null, error: null },
    ...{ requestedBy: 'test', jobId: 'o', attempts: 1, cancelRequested, journal: null },
    ...{ createdAt: '', startedAt: '', finishedAt: null },
  }
  const operations = {
    renew: () => {
      renewals += 1
      return renew()
    },
    get: async () => operation,
  }
  const lease = keepLease({ operations, leaseMs: LEASE_MS, log: recordingLog() }, held, {
    lost: () => told.push('lost'),
    cancelRequested: () => told.push('cancel'),
  })
  return { told, renewals: () => renewals, lease }
}
