import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesName, selectNames } from './select-names.ts'

describe('a pattern for names', () => {
  it.each([
    ['shop', 'shop', true],
    ['shop', 'shop2', false],
    ['shop', 'Shop', false],
    ['shop*', 'shop', true],
    ['shop*', 'shop_eu', true],
    ['*shop', 'my shop', true],
    ['*sh*p*', 'a-shop-b', true],
    ['*', '', true],
    ['?', '', false],
    ['?', 'ü', true],
    ['?', '😀', true],
    ['s??p', 'shop', true],
    ['s??p', 'shp', false],
    ['a.b', 'axb', false],
    ['(a|b)+', '(a|b)+', true],
    ['a*b', 'a\nb', true],
    ['a*', 'a*', true],
    ['', '', true],
    ['', 'a', false],
  ])('%s says of %s: %s', (pattern, name, expected) => {
    expect(matchesName(pattern, name)).toBe(expected)
  })

  it('agrees with the expression that says the same', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (pattern, name) => {
        const source = pattern.replaceAll('*', '.*').replaceAll('?', '.')
        expect(matchesName(pattern, name)).toBe(new RegExp(`^${source}$`, 's').test(name))
      }),
    )
  })

  it('is judged in no time, however many stars it has', () => {
    const startedAt = performance.now()
    expect(matchesName(`${'*a'.repeat(100)}b`, 'a'.repeat(255))).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(200)
  })
})

describe('selecting names', () => {
  const present = ['shop_eu', 'crm', 'test_1', 'shop_us']

  it('selects all, in order, unless told otherwise', () => {
    expect(selectNames(present)).toEqual({ names: ['crm', 'shop_eu', 'shop_us', 'test_1'], unmatched: [] })
  })

  it('selects what is included and not excluded, once', () => {
    const filter = { include: ['shop*', 'crm', '*'], exclude: ['test*', 'shop_u?'] }
    expect(selectNames(present, filter).names).toEqual(['crm', 'shop_eu'])
  })

  it('selects what is called by its name although it is not there', () => {
    expect(selectNames(present, { include: ['billing', 'crm'] }).names).toEqual(['billing', 'crm'])
    expect(selectNames(present, { include: ['billing'], exclude: ['b*'] }).names).toEqual([])
  })

  it('tells of patterns that match nothing', () => {
    const { names, unmatched } = selectNames(present, { include: ['shop*', 'crn*'] })
    expect(names).toEqual(['shop_eu', 'shop_us'])
    expect(unmatched).toEqual(['crn*'])
  })
})
