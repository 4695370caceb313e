import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldLock } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { describe, it } from 'vitest'
import { createReporter } from './report-progress.ts'

const held: HeldLock = { lockKey: 'k', operationId: 'o', token: 't', fence: 1 }

describe('createReporter', () => {
  it('writes at most about four times a second within a phase, the newest last', async () => {
    const { reporter, written } = start()
    for (let bytes = 1; bytes <= 1_000; bytes += 1) {
      reporter.report('dumping', { bytes })
      if (bytes % 10 === 0) await sleep(7)
    }
    await sleep(300)
    await reporter.close()
    assert.ok(written.length >= 3 && written.length <= 8, `${written.length} writes`)
    assert.deepEqual(written.at(-1), ['dumping', 1_000])
  })

  it('writes a new phase at once', async () => {
    const { reporter, written } = start()
    for (const phase of ['dumping', 'storing', 'verifying']) {
      reporter.report(phase, { bytes: 0 })
      await sleep(5)
    }
    assert.deepEqual(
      written.map(([phase]) => phase),
      ['dumping', 'storing', 'verifying'],
    )
    await reporter.close()
  })

  it('writes nothing after it was closed, and waits for what is being written', async () => {
    const { reporter, written } = start(() => sleep(50))
    reporter.report('dumping', { bytes: 1 })
    await sleep(5)
    reporter.report('storing', { bytes: 2 })
    await reporter.close()
    assert.equal(written.length, 1)
    reporter.report('verifying', { bytes: 3 })
    await sleep(300)
    assert.equal(written.length, 1)
  })

  it('does not mind a catalog that is away', async () => {
    let away = true
    const { reporter, written, lost } = start(async () => {
      if (away) throw new AppError('CATALOG_UNAVAILABLE', 'away')
    })
    reporter.report('dumping', { bytes: 1 })
    await sleep(20)
    away = false
    reporter.report('storing', { bytes: 2 })
    await sleep(20)
    assert.deepEqual(written, [['storing', 2]])
    assert.equal(lost(), 0)
    await reporter.close()
  })

  it('tells that the fence was lost', async () => {
    const { reporter, lost } = start(async () => {
      throw new AppError('FENCE_LOST', 'taken over')
    })
    reporter.report('dumping', { bytes: 1 })
    await sleep(20)
    assert.equal(lost(), 1)
    await reporter.close()
  })
})

function start(write: () => Promise<void> = async () => undefined) {
  const written: (readonly [string, number])[] = []
  let losses = 0
  const reporter = createReporter(
    {
      operations: { setProgress: () => write() },
      events: { publish: () => Promise.reject(new AppError('QUEUE_UNAVAILABLE', 'away')) },
    },
    held,
    {
      written: (phase, { bytes }) => written.push([phase, bytes]),
      fenceLost: () => {
        losses += 1
      },
    },
  )
  return { reporter, written, lost: () => losses }
}
