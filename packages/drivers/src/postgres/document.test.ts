import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { ownName } from '../client-server/own-names.ts'
import { postgresDriverFactory } from './postgres-factory.ts'
import { parsePostgresUrl } from './postgres-url.ts'

const DOCUMENT = readFileSync(new URL('../../../../docs/engines/postgres.md', import.meta.url), 'utf8')

/** What stands in code in the first cells of the table below a line. */
function firstCells(header: string): readonly string[] {
  const [, rest = ''] = DOCUMENT.split(`\n${header}\n`)
  const [table = ''] = rest.split('\n\n')
  const cells = table.split('\n').map((row) => /^\| ([^|]*) \|/.exec(row)?.[1] ?? '')
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code))
}

describe('docs/engines/postgres.md', () => {
  it('has every parameter of a URL, and no other', () => {
    const { hint } = throwsWith('INVALID_CONNECTION', () => parsePostgresUrl('postgres://u@h/d?none=1'))
    const known = hint?.replace('known parameters: ', '').split(', ') ?? []
    assert.deepEqual(firstCells('| parameter | meaning | default |').toSorted(), known.toSorted())
  })

  it('shows URLs that are understood', () => {
    const urls = firstCells('| URL | names |')
    const databases = urls.map((url) => parsePostgresUrl(url.replace('…', 'secret')).database)
    assert.deepEqual(databases, ['shop', null, 'shop', 'shop'])
  })

  it('has every format', () => {
    const names = postgresDriverFactory().formats.map(({ name }) => name)
    assert.deepEqual(firstCells('| format | stored as | choose it |').toSorted(), names.toSorted())
  })

  it('has every name that databases of ours bear', () => {
    const names = firstCells('| name | what it is | who removes it |')
    for (const kind of ['new', 'old', 'undone', 'drill'] as const) {
      const [name] = ownName(kind, '00000000-0000-7000-8000-000000000000').split('0000')
      assert.ok(names.includes(`${name}<id>`), name)
    }
    assert.equal(names.length, 4)
  })
})
