import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { mysqlRestoreSteps } from './restore-steps.ts'

const PART = { command: 'cat stored', sizeBytes: 1, sha256: '0'.repeat(64) }

describe('mysqlRestoreSteps', () => {
  it('dumps what is replaced with all that the program can dump, and never with what keeps it from ending', () => {
    const usual = dumpOf({ flavour: 'MariaDB' })
    assert.match(usual.command, / --routines --triggers --events /)
    assert.match(usual.command, /\$\{HISTORY:\+"\$HISTORY"\}/)
    assert.match(usual.text, /set `HISTORY=--dump-history`/)
    const apart = dumpOf({ flavour: 'MariaDB', eventsApart: true })
    assert.doesNotMatch(apart.command, /--events/)
    assert.match(apart.text, /Its events are \*\*not\*\* in it/)
    assert.doesNotMatch(dumpOf({ flavour: 'MySQL' }).text, /dump-history/)
  })
})

function dumpOf(details: Readonly<Record<string, string | boolean>>) {
  const steps = mysqlRestoreSteps({
    ...{
      format: 'plain',
      data: PART,
      attachments: { globals: null, settings: null, contents: PART },
      details,
    },
    ...{ serverVersion: '10.11.19', toolVersion: '10.11.19' },
  })
  const [, text = ''] = steps.split('## Replacing a database')
  const [command = ''] = /"\$DUMP" [^>]*/.exec(text) ?? []
  return { text, command }
}
