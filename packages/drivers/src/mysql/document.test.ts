import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { dumpArguments } from './dump/dump-arguments.ts'
import { FLAVOURS } from './flavours.ts'
import { parseMysqlUrl } from './mysql-url.ts'
import { ownName } from './own-names.ts'

const DOCUMENT = readFileSync(new URL('../../../../docs/engines/mysql.md', import.meta.url), 'utf8')

/** What stands in code in the first cells of the table below a line. */
function firstCells(header: string): readonly string[] {
  return tableBelow(header).flatMap((row) => codesIn(/^\| ([^|]*) \|/.exec(row)?.[1] ?? ''))
}

function tableBelow(header: string): readonly string[] {
  const [, rest = ''] = DOCUMENT.split(`\n${header}\n`)
  const [table = ''] = rest.split('\n\n')
  return table.split('\n')
}

function codesIn(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

describe('docs/engines/mysql.md', () => {
  it('has every parameter of a URL, and no other', () => {
    const { hint } = throwsWith('INVALID_CONNECTION', () => parseMysqlUrl('mysql://u@h/d?none=1'))
    const known = hint?.replace('known parameters: ', '').split(', ') ?? []
    assert.deepEqual(firstCells('| parameter | meaning | default |').toSorted(), known.toSorted())
  })

  it('shows URLs that are understood', () => {
    const urls = firstCells('| URL | names |')
    const databases = urls.map((url) => parseMysqlUrl(url.replace('…', 'secret')).database)
    assert.deepEqual(databases, ['shop', null, 'shop', 'shop'])
  })

  it('has every option that dump programs get', () => {
    const [row = ''] = tableBelow('| program | options |').filter((line) => line.startsWith('| dump |'))
    const given = FLAVOURS.flatMap((flavour) =>
      dumpArguments({ server: { flavour }, version: 999_999, schema: 's', leftOut: ['t'], history: true }),
    )
    const named = given
      .filter((argument) => /^--./.test(argument))
      .map((argument) => argument.replace(/^(--ignore-table)=.*/, '$1'))
    assert.deepEqual(codesIn(row).toSorted(), [...new Set(['--defaults-file', ...named])].toSorted())
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
