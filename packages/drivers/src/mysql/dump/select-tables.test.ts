import assert from 'node:assert/strict'
import { hasCode } from '@holdfast/core'
import { describe, it } from 'vitest'
import { selectTables } from './select-tables.ts'

const NAMES = ['orders', 'orders_old', 'a.b', 'x`y', 'Log']

describe('a filter of tables', () => {
  it.each([
    ['all', [], [], []],
    ['some', ['orders*'], [], ['a.b', 'x`y', 'Log']],
    ['all but some', [], ['orders_*', 'Log'], ['orders_old', 'Log']],
    ['those of its schema', ['shop.orders'], ['other.orders'], ['orders_old', 'a.b', 'x`y', 'Log']],
    ['names to the letter', ['"a.b"', '`x``y`'], [], ['orders', 'orders_old', 'Log']],
    ['a pattern of its schema', ['s*.o?ders'], [], ['orders_old', 'a.b', 'x`y', 'Log']],
  ] as const)('selects %s', (_what, include, exclude, leftOut) => {
    assert.deepEqual([...selectTables({ include, exclude }, 'shop', NAMES).leftOut], leftOut)
  })

  it('tells which patterns exclude nothing', () => {
    const { idle } = selectTables({ include: [], exclude: ['log', 'Log', 'other.Log'] }, 'shop', NAMES)
    assert.deepEqual(idle, ['log', 'other.Log'])
  })

  it.each([
    ['includes what is not there', ['log'], []],
    ['leaves nothing', [], ['*']],
    ['is no pattern', ['a.b.c'], []],
    ['ends in a dot', ['a.'], []],
    ['is empty', [''], []],
  ])('is refused if it %s', (_how, include, exclude) => {
    assert.throws(
      () => selectTables({ include, exclude }, 'shop', NAMES),
      (error: unknown) => hasCode(error, 'INVALID_REQUEST'),
    )
  })
})
