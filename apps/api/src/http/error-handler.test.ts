import { readFileSync } from 'node:fs'
import { AppError, ERROR_CODES } from '@holdfast/core'
import { describe, expect, it } from 'vitest'
import { STATUS } from './error-handler.ts'

const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')

describe('docs/errors.md', () => {
  it('has a section for every code, and none for anything else', () => {
    const headings = [...page.matchAll(/^## (\S+)$/gm)].map(([, code]) => code)
    expect(headings.toSorted()).toEqual([...ERROR_CODES].toSorted())
  })

  it.each(ERROR_CODES)(
    'says of %s with which status it is answered and whether waiting can heal it',
    (code) => {
      const section = page.split(/^## /m).find((text) => text.startsWith(`${code}\n`)) ?? ''
      const healing = new AppError(code, '').retryable
        ? 'Waiting can heal it.'
        : 'Waiting alone does not heal it.'
      expect(section).toContain(`\nHTTP ${STATUS[code]}. ${healing}\n`)
      expect(section).toContain('\n**What to do:** ')
    },
  )
})
