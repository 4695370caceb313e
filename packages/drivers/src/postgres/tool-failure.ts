import type { AppError } from '@holdfast/core'
import type { Meaning } from '../client-server/tool-failure.ts'
import { toolFailureOf } from '../client-server/tool-failure.ts'
import type { KnownMessage } from './known-messages.ts'
import { meaningOf } from './known-messages.ts'
import { meaningOfState } from './sql-state.ts'
import { objectIn, withoutData } from './tool-output.ts'

/** What PostgreSQL's tools themselves say, in the C locale that all our tools have. */
const OF_TOOLS: readonly KnownMessage[] = [
  {
    pattern: /server version mismatch[\s\S]*?server version: (\S{1,20})[^;]*; \w+ version: (\S{1,20})/,
    code: 'TOOL_TOO_OLD',
    message: 'the server is PostgreSQL $1, the program is $2',
    hint: "install the client of the server's version",
  },
  {
    pattern: /unsupported version \(([\d.]{1,10})\) in file header/,
    code: 'TOOL_TOO_OLD',
    message: 'it cannot read archives of version $1',
    hint: 'install the client of the version that made the backup, or a newer one',
  },
  {
    pattern:
      /not appear to be a valid|magic string in file header|unexpected end of file|end of file|corrupt tar header|input file is too short|could not uncompress data|unexpected section code|archive items not in correct section order/,
    code: 'ARTIFACT_CORRUPT',
    message: 'the dump is damaged or not complete',
  },
  {
    // how --lock-wait-timeout ends
    pattern: /due to statement timeout[^\n]*\n[^\n]*LOCK TABLE ([^\n,;]{1,140}) IN ACCESS SHARE/,
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock on $1 and did not release it in time',
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
  },
  {
    pattern: /due to statement timeout[^\n]*\n[^\n]*LOCK TABLE/,
    code: 'DATABASE_LOCKED',
    message: 'another session holds a lock and did not release it in time',
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
  },
  {
    pattern: /could not obtain lock on relation ("[^"\n]{1,140}")/,
    code: 'DATABASE_LOCKED',
    message: 'another session waits for or holds a lock on $1',
    hint: 'find it in pg_locks',
  },
  {
    // what was true of rows in the source and is not where a function finds other things
    pattern: /ERROR: {2}[^\n]*violates (check|foreign key|unique|exclusion) constraint ("[^"\n]{1,63}")/,
    code: 'TOOL_FAILED',
    message: 'rows violate the $1 constraint $2',
  },
  {
    pattern: /ERROR: {2}(?:\w{5}: )?could not create (unique) index ("[^"\n]{1,63}")/,
    code: 'TOOL_FAILED',
    message: 'rows violate the $1 index $2',
  },
]

/** A tool's own disk; asked after what the server says of its own. */
const NO_SPACE = /No space left on device|Disk quota exceeded/

/** Something in a dump that the rest of it, or the server, does not have. */
const NOT_THERE =
  /ERROR: {2}(?:[0-9A-Z]{5}: )?([a-z][a-z ]{2,40}?) ("[^"\n]{1,63}"|[\w.$]{1,130}(?:\([\w ,.[\]"]{0,200}\))?) (does not exist|already exists)/

/**
 * The best reason that is known for a tool's end. `what` begins the message, e.g. `pg_dump`; nothing but kinds and
 * names of objects is taken from what it printed. Its `cause`, for the log, has no SQL and no data either.
 */
export function failureOfTool(error: unknown, what: string): AppError {
  return toolFailureOf(error, what, { meaningOf: meaningOfOutput, objectIn, withoutData })
}

function meaningOfOutput(printed: string): Meaning | null {
  // nothing is looked for in a statement, but in the short queries of pg_dump
  const known = meaningOf(printed.replace(/Command was: [\s\S]*/, ''), OF_TOOLS)
  if (known !== null) return known
  const safe = withoutData(printed)
  if (NO_SPACE.test(safe)) {
    return { code: 'TEMPORARY_SPACE_FULL', message: 'there is no space left for temporary files' }
  }
  const [, kind, name, problem] = NOT_THERE.exec(safe) ?? []
  if (kind !== undefined) return { code: 'TOOL_FAILED', message: `${kind} ${name} ${problem}` }
  const state = /(?:^|\s)\p{Lu}+: {2}([0-9A-Z]{5}): /mu.exec(safe)?.[1]
  return state === undefined ? null : meaningOfState(state)
}
