import { describe, expect, it } from 'vitest'
import type { Backup } from '../domain/backup.ts'
import { shrinkage } from './shrinkage.ts'

// only the facts are looked at, so that the rest of a backup may be left out here
const previous = (facts: object): Backup => ({ facts }) as unknown as Backup

describe('shrinkage', () => {
  it('warns when records or size fall below half', () => {
    const before = previous({ recordCount: 100, sizeBytes: 1000, suspicious: false })
    expect(shrinkage([before], { recordCount: 49, sizeBytes: 1000 })).toHaveLength(1)
    expect(shrinkage([before], { recordCount: 49, sizeBytes: 499 })).toHaveLength(2)
  })

  it('is silent at exactly half, when things grow, and for a first backup', () => {
    const before = previous({ recordCount: 100, sizeBytes: 1000, suspicious: false })
    expect(shrinkage([before], { recordCount: 50, sizeBytes: 500 })).toEqual([])
    expect(shrinkage([before], { recordCount: 500, sizeBytes: 5000 })).toEqual([])
    expect(shrinkage([], { recordCount: 0, sizeBytes: 0 })).toEqual([])
  })

  it('goes on measuring by the last good backup after a suspicious one', () => {
    const suspicious = previous({ recordCount: 1, sizeBytes: 1, suspicious: true })
    const good = previous({ recordCount: 100, sizeBytes: 1000, suspicious: false })
    expect(shrinkage([suspicious, good], { recordCount: 1, sizeBytes: 1 })).toHaveLength(2)
    expect(shrinkage([suspicious], { recordCount: 0, sizeBytes: 0 })).toEqual([])
  })
})
