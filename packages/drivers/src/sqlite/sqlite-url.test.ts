import assert from 'node:assert/strict'
import { throwsWith } from '@holdfast/testing'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { formatSqliteUrl, parseSqliteUrl } from './sqlite-url.ts'

describe('an SQLite URL', () => {
  it.each([
    ['sqlite:///data/shop.db', '/data/shop.db'],
    ['SQLite:///data/shop.db', '/data/shop.db'],
    ['sqlite:///a%20b/%3Fmode=memory', '/a b/?mode=memory'],
    ['sqlite:///%2541', '/%41'],
    ['sqlite:///a/../b', '/a/../b'],
    ['sqlite:///%F0%9F%A6%86', '/🦆'],
    ['sqlite:///a%0Ab%2F', '/a\nb/'],
    ['sqlite:////x', '//x'],
  ])('%s names %j', (url, path) => {
    if (path.endsWith('/')) throwsWith('INVALID_CONNECTION', () => parseSqliteUrl(url))
    else assert.equal(parseSqliteUrl(url), path)
  })

  it.each([
    'sqlite:',
    'sqlite://',
    'sqlite:/data/shop.db',
    'sqlite:data/shop.db',
    'sqlite://host/data/shop.db',
    'sqlite://user:canary@host/data/shop.db',
    'sqlite:///data/shop.db?mode=ro&key=canary',
    'sqlite:///data/shop.db#canary',
    'sqlite:///data/%00canary',
    'sqlite:///data/%ZZcanary',
    'sqlite:///data/%FFcanary',
    'sqlite:///data/',
    'sqlite:///',
    'postgres://host/db',
    '/data/shop.db',
    '',
  ])('is refused, without being repeated: %s', (url) => {
    const error = throwsWith('INVALID_CONNECTION', () => parseSqliteUrl(url))
    assert.doesNotMatch(`${error.message} ${error.hint}`, /canary/)
  })

  it('names the same path again after it was written out, whatever the path', () => {
    const segment = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((text) => !/[/\0]/.test(text) && text.isWellFormed())
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
        const path = `/${segments.join('/')}`
        const url = formatSqliteUrl(path)
        assert.match(url, /^sqlite:\/\/[\x21-\x7e]+$/)
        assert.equal(parseSqliteUrl(url), path)
      }),
    )
  })
})
