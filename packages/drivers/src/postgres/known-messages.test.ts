import { describe, expect, it } from 'vitest'
import { meaningOf } from './known-messages.ts'

describe('meaningOf', () => {
  // what is not known of these would be said of the dump that was being loaded
  it.each([
    [
      'ERROR:  out of shared memory\nHINT:  You might need to increase max_locks_per_transaction.',
      'TOOL_FAILED',
    ],
    ['psql:<stdin>:7: ERROR:  53200: out of memory\nDETAIL:  Failed on request of size 8192.', 'TOOL_FAILED'],
    [
      'ERROR:  could not resize shared memory segment "/x" to 8 bytes: No space left on device',
      'TOOL_FAILED',
    ],
    ['ERROR:  could not open file "base/1/2": Too many open files', 'TOOL_FAILED'],
    ['ERROR:  could not write to file "base/pgsql_tmp/1": Input/output error', 'TOOL_FAILED'],
    ['ERROR:  cannot execute CREATE TABLE in a read-only transaction', 'DATABASE_ACCESS_DENIED'],
    ['ERROR:  cannot execute COPY FROM during recovery', 'DATABASE_ACCESS_DENIED'],
  ])('knows that %j is about the server', (said, code) => {
    expect(meaningOf(said)).toMatchObject({ code })
  })

  it.each([
    'ERROR:  relation "out of shared memory" does not exist',
    'ERROR:  division by zero',
    'ERROR:  new row for relation "t" violates check constraint "c"',
  ])('leaves %j to whoever knows the dump', (said) => {
    expect(meaningOf(said)).toBeNull()
  })
})
