import assert from 'node:assert/strict'
import { throwsWith } from '@holdfast/testing'
import { afterAll, describe, it } from 'vitest'
import { createDriverRegistry } from './index.ts'

const registry = createDriverRegistry()
afterAll(() => registry.close())

describe('the registry of engines', () => {
  it.each(['sqlite:///data/shop.db', 'SQLITE:///data/shop.db'])('finds the engine of %s', (url) => {
    assert.equal(registry.forUrl(url).engine, 'sqlite')
  })

  it.each(['mysql://joe@db/shop', 'mariadb://joe@db/shop', 'MariaDB://joe@db'])(
    'has one engine for %s',
    (url) => {
      assert.equal(registry.forUrl(url), registry.byEngine('mysql'))
    },
  )

  it('finds an engine by its name', () => {
    assert.equal(registry.byEngine('sqlite'), registry.forUrl('sqlite:///data/shop.db'))
  })

  it.each(['oracle://user:canary@host/db', 'file:///etc/passwd', 'javascript:canary'])(
    'refuses %s without repeating it',
    (url) => {
      const error = throwsWith('UNSUPPORTED_ENGINE', () => registry.forUrl(url))
      assert.doesNotMatch(`${error.message} ${error.hint}`, /canary|passwd/)
      assert.match(error.hint ?? '', /sqlite:\/\//)
    },
  )

  it.each(['', 'no scheme canary', '://canary', ' sqlite:///x'])('refuses %j, which has no scheme', (url) => {
    const error = throwsWith('INVALID_CONNECTION', () => registry.forUrl(url))
    assert.doesNotMatch(error.message, /canary/)
  })

  it.each(['', 'oracle', '__proto__', 'toString'])('knows no engine called %j', (engine) => {
    throwsWith('UNSUPPORTED_ENGINE', () => registry.byEngine(engine))
  })

  it('takes other engines in place of its own', async () => {
    const empty = createDriverRegistry([])
    throwsWith('UNSUPPORTED_ENGINE', () => empty.forUrl('sqlite:///data/shop.db'))
    await empty.close()
  })
})
