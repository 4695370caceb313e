import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { systemClock } from '@holdfast/core'
import { rejectsWith, throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { parseCatalogUrl } from './catalog-url.ts'
import { openCatalog } from './open-catalog.ts'

describe('catalog URL', () => {
  it.each([
    ['sqlite:/srv/holdfast/catalog.sqlite', '/srv/holdfast/catalog.sqlite'],
    ['sqlite:/srv/50% off/a#b?c.sqlite', '/srv/50% off/a#b?c.sqlite'],
    ['sqlite:///srv/50%25%20off/c.sqlite', '/srv/50% off/c.sqlite'],
    ['sqlite:.holdfast/catalog.sqlite', resolve('.holdfast/catalog.sqlite')],
  ])('reads %s as a file', (url, file) => {
    assert.deepEqual(parseCatalogUrl(url), { engine: 'sqlite', file })
  })

  it.each(['postgres://u:p@h/d', 'postgresql://h/d?sslmode=require'])('leaves %s to PostgreSQL', (url) => {
    assert.deepEqual(parseCatalogUrl(url), { engine: 'postgres', url })
  })

  it.each([
    '',
    'catalog.sqlite',
    'mysql://h/d',
    'postgres:h/d',
    'sqlite:',
    'sqlite::memory:',
    'sqlite://host/file',
    'sqlite:///%zz',
    'sqlite:/a\0b',
    'sqlite:/a ',
  ])('refuses %j', (url) => {
    throwsWith('INVALID_CONFIGURATION', () => parseCatalogUrl(url))
  })

  it.each([
    'postgres://u:canary@h:99999999/d',
    'postgres://u:canary@[::/d',
    'postgres://u:canary@h/d?sslmode=verify-ca',
    'postgres://u:canary@h/d?sslrootcert=/does/not/exist&sslmode=verify-full',
  ])('refuses %s without repeating its password', async (url) => {
    const error = await rejectsWith('INVALID_CONFIGURATION', openCatalog({ url, clock: systemClock }))
    assert.ok(!JSON.stringify([error.message, error.hint, error.stack, error.cause]).includes('canary'))
  })
})
