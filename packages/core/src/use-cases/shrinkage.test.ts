import { describe, expect, it } from 'vitest'
import type { Backup } from '../domain/backup.ts'
import { shrinkage } from './shrinkage.ts'

const ALIKE = { format: 'custom', counting: 'exact' } as const

// only these are looked at, so that the rest of a backup may be left out here
const previous = (facts: object, database: string | null = null): Backup =>
  ({ database, facts: { ...ALIKE, engineDetails: {}, suspicious: false, ...facts } }) as unknown as Backup

const current = (recordCount: number, sizeBytes: number, change: object = {}) => ({
  ...ALIKE,
  ...{ database: null, leftOut: undefined, recordCount, sizeBytes },
  ...change,
})

describe('shrinkage', () => {
  it('warns when records or size fall below half', () => {
    const before = previous({ recordCount: 100, sizeBytes: 1000 })
    expect(shrinkage([before], current(49, 1000))).toHaveLength(1)
    expect(shrinkage([before], current(49, 499))).toHaveLength(2)
  })

  it('is silent at exactly half, when things grow, and for a first backup', () => {
    const before = previous({ recordCount: 100, sizeBytes: 1000 })
    expect(shrinkage([before], current(50, 500))).toEqual([])
    expect(shrinkage([before], current(500, 5000))).toEqual([])
    expect(shrinkage([], current(0, 0))).toEqual([])
  })

  it('goes on measuring by the last good backup after a suspicious one', () => {
    const suspicious = previous({ recordCount: 1, sizeBytes: 1, suspicious: true })
    const good = previous({ recordCount: 100, sizeBytes: 1000 })
    expect(shrinkage([suspicious, good], current(1, 1))).toHaveLength(2)
    expect(shrinkage([suspicious], current(0, 0))).toEqual([])
  })

  it.each([
    ['another database', previous({ recordCount: 100, sizeBytes: 1000 }, 'crm')],
    ['another format', previous({ recordCount: 100, sizeBytes: 1000, format: 'plain' })],
    [
      'another selection',
      previous({ recordCount: 100, sizeBytes: 1000, engineDetails: { leftOut: 'schema audit' } }),
    ],
  ])('does not compare with %s', (_what, other) => {
    expect(shrinkage([other], current(1, 1))).toEqual([])
    const alike = previous({ recordCount: 100, sizeBytes: 1000 })
    expect(shrinkage([other, alike], current(1, 1))).toHaveLength(2)
  })

  it('does not compare estimates with counts', () => {
    const counted = previous({ recordCount: 100, sizeBytes: 1000 })
    expect(shrinkage([counted], current(1, 1000, { counting: 'estimate' }))).toEqual([])
  })
})
