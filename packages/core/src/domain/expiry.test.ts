import { describe, expect, it } from 'vitest'
import { expiryOf } from './expiry.ts'

describe('expiryOf', () => {
  const from = '2026-01-31T12:00:00.000Z'

  it('counts hours, days, weeks and years of 365 days', () => {
    expect(expiryOf('12h', from)).toBe('2026-02-01T00:00:00.000Z')
    expect(expiryOf('30d', from)).toBe('2026-03-02T12:00:00.000Z')
    expect(expiryOf('2w', from)).toBe('2026-02-14T12:00:00.000Z')
    expect(expiryOf('1y', from)).toBe('2027-01-31T12:00:00.000Z')
  })

  it('ends with the year 9999, however long it is told to be', () => {
    expect(expiryOf('99999y', from)).toBe('9999-12-31T23:59:59.999Z')
  })

  it('never expires what is permanent or left to the policy', () => {
    expect(expiryOf('permanent', from)).toBeNull()
    expect(expiryOf(null, from)).toBeNull()
  })

  it('refuses what it does not understand rather than keep for ever or for no time', () => {
    for (const wrong of ['', '0d', '-1d', '1.5d', '10', 'd', '5m']) {
      expect(() => expiryOf(wrong, from)).toThrow(/retain is not/)
    }
  })
})
